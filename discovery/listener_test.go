package discovery_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/inmesh-go/inmesh/discovery"
)

// A listener writes down what a watch yields, as text. It lives in a bubble.
type listener struct {
	t     *testing.T
	mu    sync.Mutex
	heard []string
	ended bool
}

func listen(t *testing.T, src discovery.Source, s discovery.Service) *listener {
	l := &listener{t: t}
	go func() {
		for endpoints, err := range src.Watch(t.Context(), s) {
			l.hear(endpoints, err)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ended = true
	}()
	return l
}

func (l *listener) hear(endpoints []discovery.Endpoint, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.heard = append(l.heard, "error: "+err.Error())
		return
	}
	var addresses []string
	for _, e := range endpoints {
		addresses = append(addresses, e.Address)
	}
	l.heard = append(l.heard, strings.Join(addresses, " "))
}

// want checks what was heard since the last call, once all is quiet.
func (l *listener) want(want ...string) {
	l.t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.heard, want) {
		l.t.Errorf("heard %q, want %q", l.heard, want)
	}
	l.heard = nil
}
