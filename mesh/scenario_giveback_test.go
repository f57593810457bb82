package mesh_test

import (
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/retry"
)

// lent counts the bodies that are open.
type lent struct{ open atomic.Int64 }

type lentBody struct {
	io.Reader
	of     *lent
	closed atomic.Bool
}

func (b *lentBody) Close() error {
	if !b.closed.Swap(true) {
		b.of.open.Add(-1)
	}
	return nil
}

func (l *lent) body(text string) (io.ReadCloser, error) {
	l.open.Add(1)
	return &lentBody{Reader: strings.NewReader(text), of: l}, nil
}

// Each try of a race has a body of its own; none is left open, nor is the one that
// the caller gave.
func TestARaceThatIsRunAgainClosesAllBodies(t *testing.T) {
	hedged := func(_ *scene, c *mesh.Config) { c.Hedge = retry.Hedge{Delay: time.Second, Max: 2} }
	for _, statuses := range [][]int{{200}, {503, 200}, {503, 503, 200}, {503, 503, 503}} {
		playWith(t, []string{retried("attempts: 2, retryOn: 5xx")}, hedged, func(s *scene) {
			host := s.start("reviews", "only")
			host.plays(host.saysInTurn(statuses...))
			var bodies lent
			r := s.request(http.MethodPut, "http://reviews/", "text")
			r.Body, _ = bodies.body("text")
			r.GetBody = func() (io.ReadCloser, error) { return bodies.body("text") }
			if got := s.do(r); got.err != nil {
				t.Fatal(got.err)
			}
			synctest.Wait()
			if n := bodies.open.Load(); n != 0 || host.heard() != len(statuses) {
				t.Errorf("%d: %d bodies are open after %d tries", statuses, n, host.heard())
			}
		})
	}
}

// A panicky base answers with one status after the other; for 0 it panics.
type panicky struct{ statuses []int }

func (p *panicky) RoundTrip(r *http.Request) (*http.Response, error) {
	status := p.statuses[0]
	p.statuses = p.statuses[1:]
	if status == 0 {
		panic(errPanic)
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

var errPanic = errors.New("the base's own")

// trip sends a GET that a panic may end, of which it is told.
func (s *scene) trip(through http.RoundTripper) (status int, panicked bool) {
	s.Helper()
	defer func() {
		if got := recover(); got != nil {
			status, panicked = 0, true
			if err, ok := got.(error); !ok || !errors.Is(err, errPanic) {
				s.Errorf("got %v, not the panic as it was", got)
			}
		}
	}()
	resp, err := through.RoundTrip(s.request(http.MethodGet, "http://reviews/", ""))
	if err != nil {
		s.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode, false
}

// A race is run on goroutines of its own.
func TestABaseThatPanicsInARaceDoesSoOnItsCallersGoroutineAndHoldsNothing(t *testing.T) {
	hedged := func(_ *scene, c *mesh.Config) { c.Hedge = retry.Hedge{Delay: time.Second, Max: 2} }
	limits := policy("reviews", "{connectionPool: {tcp: {maxConnections: 1}, http: {http2MaxRequests: 1}}}")
	playWith(t, []string{limits}, hedged, func(s *scene) {
		s.start("reviews", "only")
		transport := s.mesh.Transport(&panicky{[]int{0, 0, 200}})
		for _, want := range []int{0, 0, 200} {
			if status, panicked := s.trip(transport); status != want || panicked != (want == 0) {
				s.Errorf("got %d, panicked %v, want %d", status, panicked, want)
			}
		}
		synctest.Wait()
		cl := s.mesh.Clusters()[0]
		if cl.Requests != 0 || cl.Connections != 0 || cl.Endpoints[0].Active != 0 || len(s.mesh.Underway()) != 0 {
			s.Errorf("held: %+v, under way %+v", cl, s.mesh.Underway())
		}
	})
}

// A base that leaves its goroutine, as a test's Fatal does, leaves no caller waiting.
func TestABaseThatLeavesARaceIsToldToItsCaller(t *testing.T) {
	hedged := func(_ *scene, c *mesh.Config) { c.Hedge = retry.Hedge{Delay: time.Second, Max: 2} }
	playWith(t, nil, hedged, func(s *scene) {
		s.start("reviews", "only")
		defer func() {
			if err, ok := recover().(error); !ok || !strings.Contains(err.Error(), "runtime.Goexit was called") {
				s.Errorf("got %v", err)
			}
		}()
		resp, err := s.mesh.Transport(leaving{}).RoundTrip(s.request(http.MethodGet, "http://reviews/", ""))
		s.Errorf("it returned %v, %v", resp, err)
	})
}

type leaving struct{}

func (leaving) RoundTrip(*http.Request) (*http.Response, error) {
	runtime.Goexit()
	return nil, nil
}

// A handler's panic is caught by its server: the process lives on, and so do its
// places.
func TestABaseThatPanicsHoldsNothing(t *testing.T) {
	limits := policy("reviews", "{connectionPool: {tcp: {maxConnections: 1}, http: {http2MaxRequests: 1}}, loadBalancer: {simple: LEAST_REQUEST}}")
	play(t, []string{limits}, func(s *scene) {
		s.start("reviews", "only")
		transport := s.mesh.Transport(&panicky{[]int{0, 0, 200}})
		for _, want := range []int{0, 0, 200} {
			if status, panicked := s.trip(transport); status != want || panicked != (want == 0) {
				s.Errorf("got %d, panicked %v, want %d", status, panicked, want)
			}
		}
		cl := s.mesh.Clusters()[0]
		if cl.Requests != 0 || cl.Connections != 0 || cl.Endpoints[0].Active != 0 || len(s.mesh.Underway()) != 0 {
			s.Errorf("held: %+v, under way %+v", cl, s.mesh.Underway())
		}
	})
}

// The next request is the probe, not one that comes when nobody waits for the first
// any more.
func TestAProbeThatPanicsLeavesItsPlace(t *testing.T) {
	documents := []string{policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1, baseEjectionTime: 60s, maxEjectionPercent: 100}}"), unretried("reviews")}
	play(t, documents, func(s *scene) {
		s.start("reviews", "only")
		transport := s.mesh.Transport(&panicky{[]int{500, 0, 200, 200}})
		s.trip(transport)
		s.pass(time.Minute)
		for _, want := range []int{0, 200, 200} {
			if status, _ := s.trip(transport); status != want {
				s.Errorf("got %d, want %d", status, want)
			}
		}
	})
}

// Who waits in line for a connection has not been sent anywhere yet: that its time is
// up says nothing of the host that was picked.
func TestAHostIsNotBlamedForTheWaitInLine(t *testing.T) {
	limits := policy("reviews", "{connectionPool: {tcp: {maxConnections: 1}}, outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100}}")
	for name, documents := range map[string][]string{
		"the caller's time": {limits, unretried("reviews")},
		"a try's time":      {limits, route("reviews", "retries: {attempts: 1, perTryTimeout: 300ms, retryOn: connect-failure}")},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, []string{limits}, func(s *scene) {
				host := s.start("reviews", "only")
				host.plays(later(10*time.Second, host.says(200)))
				first := s.begin("http://reviews/")
				s.rule(documents...)
				for range 3 {
					s.want(s.getWithin(time.Second, "http://reviews/"), "timeout")
				}
				if e := s.mesh.Clusters()[0].Endpoints[0]; e.Circuit != "closed" || e.Failures != 0 {
					s.Errorf("the host's circuit is %s, with %d failures", e.Circuit, e.Failures)
				}
				s.want(<-first, "200")
			})
		})
	}
}

// A caller who leaves early says nothing of how long the host would have taken, beyond
// that: a host must not look slow for its callers have no patience.
func TestPeakEWMADoesNotTakeCallersWhoLeaveForSlowness(t *testing.T) {
	rule := strings.Replace(policy("reviews", "{loadBalancer: {simple: LEAST_REQUEST}}"), "metadata: {name: reviews}", "metadata: {name: reviews, annotations: {inmesh/balancer: PEAK_EWMA}}", 1)
	play(t, []string{rule, unretried("reviews")}, func(s *scene) {
		quick, slow := s.start("reviews", "quick"), s.start("reviews", "slow")
		quick.plays(later(100*time.Millisecond, quick.says(200)))
		slow.plays(later(300*time.Millisecond, slow.says(200)))
		s.share(10, "http://reviews/")
		for range 10 {
			s.want(s.cancelled(time.Millisecond, "http://reviews/"), "cancelled by the caller")
		}
		if got := s.get("http://reviews/"); got.body != "quick" {
			s.Errorf("the %s host is asked after impatient callers have left the quick one", got.body)
		}
	})
}
