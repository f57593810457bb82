package discoverytest_test

import (
	"context"
	"errors"
	"iter"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/discoverytest"
)

type sequence = iter.Seq2[[]discovery.Endpoint, error]

// A flaw spoils the sequences of a sound source.
type flaw struct {
	spoil  func(ctx context.Context, sound sequence) sequence
	caught string // the case that has to fail
}

var flaws = map[string]flaw{
	"says only what is new":    {deltas, "YieldsTheWholeSetAfterEachChange"},
	"ends when unknown":        {endsWhen(discovery.ErrUnknown), "YieldsErrUnknownUntilTheServiceIsThere"},
	"is silent when unknown":   {dropsErrors, "YieldsErrUnknownUntilTheServiceIsThere"},
	"ends with the first set":  {endsAfterOne, "YieldsTheWholeSetAfterEachChange"},
	"outlives its context":     {deaf, "EndsWithItsContextWhileNothingHappens"},
	"outlives its consumer":    {lingers, "EndsWhenItsConsumerBreaksOff"},
	"repeats an address":       {repeats, "YieldsTheWholeSetAtOnce"},
	"yields one slice always":  {reuses, "NeverChangesWhatItYielded"},
	"tells errors with values": {errorsWithSets, "YieldsErrUnknownUntilTheServiceIsThere"},
}

func deltas(_ context.Context, sound sequence) sequence {
	return func(yield func([]discovery.Endpoint, error) bool) {
		var last []discovery.Endpoint
		for endpoints, err := range sound {
			fresh := slices.DeleteFunc(slices.Clone(endpoints), func(e discovery.Endpoint) bool {
				return slices.ContainsFunc(last, e.Equal)
			})
			last = endpoints
			if !yield(fresh, err) {
				return
			}
		}
	}
}

func endsWhen(end error) func(context.Context, sequence) sequence {
	return func(_ context.Context, sound sequence) sequence {
		return func(yield func([]discovery.Endpoint, error) bool) {
			for endpoints, err := range sound {
				if !yield(endpoints, err) || errors.Is(err, end) {
					return
				}
			}
		}
	}
}

func dropsErrors(_ context.Context, sound sequence) sequence {
	return func(yield func([]discovery.Endpoint, error) bool) {
		for endpoints, err := range sound {
			if err == nil && !yield(endpoints, nil) {
				return
			}
		}
	}
}

func endsAfterOne(_ context.Context, sound sequence) sequence {
	return func(yield func([]discovery.Endpoint, error) bool) {
		for endpoints, err := range sound {
			if !yield(endpoints, err) || err == nil {
				return
			}
		}
	}
}

func deaf(_ context.Context, sound sequence) sequence {
	return func(yield func([]discovery.Endpoint, error) bool) {
		sound(yield)
		select {}
	}
}

func lingers(ctx context.Context, sound sequence) sequence {
	return func(yield func([]discovery.Endpoint, error) bool) {
		for endpoints, err := range sound {
			if !yield(endpoints, err) {
				<-ctx.Done()
				return
			}
		}
	}
}

func repeats(_ context.Context, sound sequence) sequence {
	return func(yield func([]discovery.Endpoint, error) bool) {
		for endpoints, err := range sound {
			if !yield(append(slices.Clone(endpoints), endpoints...), err) {
				return
			}
		}
	}
}

func reuses(_ context.Context, sound sequence) sequence {
	return func(yield func([]discovery.Endpoint, error) bool) {
		always := make([]discovery.Endpoint, 100)
		for endpoints, err := range sound {
			if !yield(always[:copy(always, endpoints)], err) {
				return
			}
		}
	}
}

func errorsWithSets(_ context.Context, sound sequence) sequence {
	return func(yield func([]discovery.Endpoint, error) bool) {
		for endpoints, err := range sound {
			if err != nil {
				endpoints = discovery.Addresses("10.0.0.1:9080")
			}
			if !yield(endpoints, err) {
				return
			}
		}
	}
}

type spoilt struct {
	*discovery.Static
	flaw
}

func (s spoilt) Watch(ctx context.Context, service discovery.Service) sequence {
	return s.spoil(ctx, s.Static.Watch(ctx, service))
}

const flawVariable = "DISCOVERYTEST_FLAW"

// TestSuite runs the suite on a sound source or, in the processes that
// TestEveryFlawIsCaught starts, on one with the flaw named in the environment.
func TestSuite(t *testing.T) {
	discoverytest.Run(t, func(t *testing.T) discoverytest.Harness {
		static, err := discovery.NewStatic(nil)
		if err != nil {
			t.Fatal(err)
		}
		h := discoverytest.Harness{Source: static, Remove: static.Remove}
		h.Set = func(host string, endpoints []discovery.Endpoint) {
			if err := static.Set(host, endpoints); err != nil {
				t.Fatal(err)
			}
		}
		if f, ok := flaws[os.Getenv(flawVariable)]; ok {
			h.Source, h.Patience = spoilt{static, f}, 200*time.Millisecond
		}
		return h
	})
}

func TestEveryFlawIsCaught(t *testing.T) {
	for name, f := range flaws {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			suite := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSuite$/^"+f.caught+"$")
			suite.Env = append(os.Environ(), flawVariable+"="+name)
			out, err := suite.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestSuite/"+f.caught) {
				t.Errorf("%s has not failed: %v\n%s", f.caught, err, out)
			}
		})
	}
}
