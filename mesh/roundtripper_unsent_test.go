package mesh_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/inmesh-go/inmesh/mesh"
)

// twice is a rule by which every failure is tried again.
func twice(more string) string {
	return playRule(`[{route: [{destination: {host: play}}], retries: {attempts: 2, retryOn: "5xx,connect-failure", backoff: 1ms}` + more + `}]`)
}

// Copies of a body may hold a file open: what no transport is given, none closes.
func TestTheBodyOfATryThatDoesNotFindOutTheProtocolIsClosed(t *testing.T) {
	nobody := services{"play": {"127.0.0.1:1", "127.0.0.2:1", "127.0.0.3:1"}}
	c := carry(t, nobody, false, mesh.Config{}, twice(""), policy("play", "{connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}"))
	p := postKnown(t.Context(), "http://play/")
	mustTry(t, p, mustFail(t, c, p.Request, mesh.ErrConnect), 3)
}

func TestTheBodyOfATryThatMustNotBeSentInTheClearIsClosed(t *testing.T) {
	c := carry(t, services{"play": {"127.0.0.1:1"}}, true, mesh.Config{}, twice(""), policy("play", "{tls: {mode: SIMPLE}}"))
	p := postKnown(t.Context(), "http://play/")
	mustTry(t, p, mustFail(t, c, p.Request, mesh.ErrConnect), 3)
}

func TestTheBodyOfATryThatWaitsForAConnectionInVainIsClosed(t *testing.T) {
	var other func()
	h := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/other" {
			<-r.Context().Done()
			return
		}
		go other()
		synctest.Wait() // it is first in line
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	inPausedTime(t, h, func(t *testing.T, c *carrier) {
		var under sync.WaitGroup
		other = func() {
			under.Go(func() { mustFail(t, c, get(t.Context(), "http://play/other").Request, mesh.ErrTimeout) })
		}
		p := postKnown(t.Context(), "http://play/")
		mustTry(t, p, mustFail(t, c, p.Request, mesh.ErrTimeout), 2)
		under.Wait()
	}, twice(", timeout: 5s"), policy("play", "{connectionPool: {tcp: {maxConnections: 1}}}"))
}

func mustTry(t *testing.T, p *parcel, err *mesh.Error, tries int) {
	t.Helper()
	if err.Attempts != tries || len(p.bodies) != tries {
		t.Errorf("%d tries, %d bodies, want %d", err.Attempts, len(p.bodies), tries)
	}
	p.mustBeClosed(t)
}
