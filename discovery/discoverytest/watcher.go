package discoverytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
)

// A bench is a test with its harness.
type bench struct {
	*testing.T
	Harness
}

func service(host string) discovery.Service {
	return discovery.Service{Host: host, Name: host, Port: 9080}
}

// A watcher is one watch under test, in a goroutine of its own.
type watcher struct {
	b      *bench
	cancel context.CancelFunc
	told   chan news     // what was yielded
	ended  chan struct{} // closed when the sequence has ended
	seen   []news        // what await has taken, for messages and for later comparison
}

// news is one element of the sequence, with a copy made when it was yielded.
type news struct {
	endpoints, copied []discovery.Endpoint
	err               error
}

// watch begins to watch host. The watch ends with the test at the latest.
func (b *bench) watch(host string) *watcher {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{b: b, cancel: cancel, told: make(chan news, 4096), ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		for endpoints, err := range b.Source.Watch(ctx, service(host)) {
			w.told <- news{endpoints, slices.Clone(endpoints), err}
		}
	}()
	b.Cleanup(w.stop)
	return w
}

// stop ends the watch's context and fails the test if the sequence goes on.
func (w *watcher) stop() {
	w.b.Helper()
	w.cancel()
	w.b.awaitEnd(w.ended, "its context ended")
}

func (b *bench) awaitEnd(ended <-chan struct{}, after string) {
	b.Helper()
	select {
	case <-ended:
	case <-time.After(b.Patience):
		b.Errorf("the sequence has not ended %v after %s", b.Patience, after)
	}
}

// await takes news until some fits; it fails the test when none comes.
func (w *watcher) await(want string, fits func(news) bool) {
	w.b.Helper()
	deadline := time.After(w.b.Patience)
	for {
		select {
		case n := <-w.told:
			w.seen = append(w.seen, n)
			w.check(n)
			if fits(n) {
				return
			}
		case <-deadline:
			w.b.Fatalf("want %s within %v; got %s", want, w.b.Patience, w.history())
		}
	}
}

// check holds every element to what is always true.
func (w *watcher) check(n news) {
	w.b.Helper()
	if n.err != nil {
		if len(n.endpoints) > 0 {
			w.b.Errorf("an error came with %d endpoints: %v", len(n.endpoints), n.err)
		}
		return
	}
	if err := discovery.Validate(n.endpoints); err != nil {
		w.b.Errorf("a faulty set was yielded: %v", err)
	}
}

func (w *watcher) awaitSet(want []discovery.Endpoint) {
	w.b.Helper()
	w.await(fmt.Sprintf("the set %v", addresses(want)), func(n news) bool {
		return n.err == nil && slices.Equal(addresses(n.endpoints), addresses(want))
	})
}

func (w *watcher) awaitUnknown() {
	w.b.Helper()
	w.await("ErrUnknown", func(n news) bool { return errors.Is(n.err, discovery.ErrUnknown) })
}

// awaitTrouble awaits an error other than ErrUnknown.
func (w *watcher) awaitTrouble() {
	w.b.Helper()
	w.await("an error that is not ErrUnknown", func(n news) bool {
		return n.err != nil && !errors.Is(n.err, discovery.ErrUnknown)
	})
}

func (w *watcher) history() string {
	if len(w.seen) == 0 {
		return "nothing"
	}
	var parts []string
	for _, n := range w.seen {
		parts = append(parts, n.String())
	}
	return strings.Join(parts, "; ")
}

func (n news) String() string {
	if n.err != nil {
		return "error: " + n.err.Error()
	}
	return fmt.Sprint(addresses(n.endpoints))
}

func addresses(endpoints []discovery.Endpoint) []string {
	var a []string
	for _, e := range endpoints {
		a = append(a, e.Address)
	}
	slices.Sort(a)
	return a
}
