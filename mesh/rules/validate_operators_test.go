package rules_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// Whatever a header value holds, it is judged, and never wrong once its percent
// signs are doubled.
func FuzzHeaderValue(f *testing.F) {
	for _, seed := range []string{"100%", "%REQ(a)%", `%X(["a", "b"])%`, `%X(a\)b)%`, "%%%A%", "%(", "\t"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		headerFaults(t, value)
		for _, fault := range headerFaults(t, strings.ReplaceAll(value, "%", "%%")) {
			if fault.Severity > rules.Warning && !strings.Contains(fault.Message, "control character") {
				t.Errorf("%q: %s", value, fault.Message)
			}
		}
	})
}

func headerFaults(t *testing.T, value string) rules.Faults {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return faultsOf(t, forward(fmt.Sprintf("headers: {request: {set: {a: %s}}}", text)))
}

func TestKnownHeaderOperators(t *testing.T) {
	for name, want := range map[string]bool{
		"REQ": true, "START_TIME": true, "DOWNSTREAM_REMOTE_ADDRESS": true,
		"": false, "req": false, "UPSTREAM_METADATA": false,
	} {
		if got := rules.KnownHeaderOperator(name); got != want {
			t.Errorf("KnownHeaderOperator(%q) = %v", name, got)
		}
	}
}
