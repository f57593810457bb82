package engine

import (
	"math"
	"reflect"
	"testing"
)

// A pick among thousands costs what it costs to bring lines into the cache: hosts
// share none, and what a request asks of a healthy one stands on the first.
func TestAHostIsTwoCacheLinesOfWhichRequestsNeedOne(t *testing.T) {
	const line = 64
	host, state := reflect.TypeFor[Host](), reflect.TypeFor[HostState]()
	if host.Size() > 2*line || math.MaxInt > math.MaxInt32 && host.Size() != 2*line { // pointers may be half as long
		t.Errorf("a host has %d bytes, want %d", host.Size(), 2*line)
	}
	beside, _ := host.FieldByName("State")
	for name, size := range map[string]uintptr{"Address": 16, "circuit": 8} { // of the circuit its word
		field, _ := state.FieldByName(name)
		if end := beside.Offset + field.Offset + size; end > line {
			t.Errorf("%s ends at byte %d, want it within the first %d", name, end, line)
		}
	}
}
