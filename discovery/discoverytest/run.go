package discoverytest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
)

// A Harness is a Source and the means to change what it says.
type Harness struct {
	// Source is what is tested. At first it knows no service.
	Source discovery.Source
	// Set makes these the endpoints of the service with this Host. It is called
	// from the test's goroutine and may fail the test.
	Set func(host string, endpoints []discovery.Endpoint)
	// Remove makes the service unknown. Nil: the cases that need it are left out.
	Remove func(host string)
	// Break makes the source unable to find anything out, so that it has to say
	// so with an error that is not ErrUnknown; Heal ends that. Either both or
	// none; nil: the cases that need them are left out.
	Break, Heal func()
	// Patience is how long a change may take to be told; 0 means 10 s.
	Patience time.Duration
}

// Run runs all cases that the harness allows, each with a new harness.
func Run(t *testing.T, harness func(t *testing.T) Harness) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.on(t, harness) })
	}
}

// RunPaused is Run with each case in a synctest bubble of its own. The harness
// is made inside the bubble.
func RunPaused(t *testing.T, harness func(t *testing.T) Harness) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.on(t, harness) })
		})
	}
}

// A testCase is one promise of the interface.
type testCase struct {
	name  string
	needs func(Harness) bool // nil: nothing optional
	check func(*bench)
}

func (c testCase) on(t *testing.T, harness func(t *testing.T) Harness) {
	h := harness(t)
	if c.needs != nil && !c.needs(h) {
		t.Log("left out: the harness has not the means")
		return
	}
	if h.Patience == 0 {
		h.Patience = 10 * time.Second
	}
	c.check(&bench{t, h})
}

func removes(h Harness) bool { return h.Remove != nil }
func breaks(h Harness) bool  { return h.Break != nil && h.Heal != nil }
