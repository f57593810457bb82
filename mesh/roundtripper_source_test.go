package mesh_test

import (
	"context"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A bookOf is a source that is a function; Go cannot compare two of those.
type bookOf func(service string) []discovery.Endpoint

func (b bookOf) Watch(ctx context.Context, s discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		if found := b(s.Name); found != nil && !yield(found, nil) {
			return
		}
		<-ctx.Done()
	}
}

func TestASourceMayBeOfAnyType(t *testing.T) {
	s := listen(t, whoIs())
	source := bookOf(func(string) []discovery.Endpoint {
		return []discovery.Endpoint{{Address: s.Listener.Addr().String()}}
	})
	for _, hold := range []time.Duration{-1, 0} {
		memory := rules.Static()
		m, err := mesh.New(t.Context(), mesh.Config{Discovery: source, HoldEmpty: hold, Rules: memory})
		if err != nil {
			t.Fatal(err)
		}
		rt := m.Transport(nil)
		for _, document := range []string{oneFailure, playRule(`[{route: [{destination: {host: play}}]}]`)} {
			if got := textOf(t, mustAnswer(t, rt, get(t.Context(), "http://play/path").Request)); got != "play /path HTTP/1.1" {
				t.Errorf("got %q", got)
			}
			before := m.Status().Rules.Version
			if err := memory.Update(document); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the rules are in force", func() bool { return m.Status().Rules.Version != before })
		}
		_ = m.Close()
	}
}

// A source that says nothing costs a request no more than its own time.
func TestASilentSourceIsNotWaitedForBeyondTheRequestsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := bookOf(func(string) []discovery.Endpoint { return nil })
		m, err := mesh.New(t.Context(), mesh.Config{Discovery: silent, Rules: rules.Static(playRule(`[{timeout: 30ms, route: [{destination: {host: play}}]}]`))})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		rt := m.Transport(nil)
		began := time.Now()
		p := postKnown(t.Context(), "http://play/")
		mustFail(t, rt, p.Request, mesh.ErrTimeout, context.DeadlineExceeded)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		q := postKnown(ctx, "http://unheard-of/")
		mustFail(t, rt, q.Request, mesh.ErrCanceled, context.Canceled)
		if took := time.Since(began); took != 40*time.Millisecond {
			t.Errorf("took %v, want the requests' 30 and 10 ms", took)
		}
		p.mustBeClosed(t)
		q.mustBeClosed(t)
	})
}

// Requests that are not the mesh's keep the contract of the base that carries them.
func TestWhatPassesThroughKeepsTheContract(t *testing.T) {
	s := startStage(t)
	for _, withLedger := range []bool{false, true} {
		c := carry(t, nil, withLedger, mesh.Config{})
		for _, e := range errands {
			t.Run(e.name, func(t *testing.T) { runAt(t, c, e, 0, s.URL) })
		}
		refused := carry(t, nil, withLedger, mesh.Config{OutboundPolicy: mesh.RegistryOnly})
		p := postKnown(t.Context(), s.URL+"/echo")
		mustFail(t, refused, p.Request, mesh.ErrUnknownHost)
		p.mustBeClosed(t)
		if _, err := c.RoundTrip(postKnown(t.Context(), "gopher://play/").Request); err == nil {
			t.Error("gopher is answered")
		}
	}
}
