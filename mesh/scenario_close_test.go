package mesh_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/retry"
)

func TestCloseMayBeCalledByManyAndAgain(t *testing.T) {
	play(t, seedDocuments(t), func(s *scene) {
		s.start("reviews", "v1", "version", "v1")
		s.start("reviews", "v2", "version", "v2")
		s.share(20, "http://reviews/")
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if err := s.mesh.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if err := s.mesh.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if _, open := s.cables.counts(); open != 0 {
			t.Errorf("%d connections stand", open)
		}
	})
}

func TestRequestsUnderWayFinishAfterClose(t *testing.T) {
	documents := []string{
		policy("reviews", "{connectionPool: {tcp: {maxConnections: 1}}, outlierDetection: {consecutive5xxErrors: 1}}"),
		route("reviews", "timeout: 1h, retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}, mirror: {host: shadow}"),
	}
	play(t, documents, func(s *scene) {
		host, shadow := s.start("reviews", "only"), s.start("shadow", "copy")
		shadow.plays(later(time.Minute, shadow.says(200)))
		host.plays(later(time.Second, host.says(200)))
		served, waits := s.begin("http://reviews/"), s.begin("http://reviews/")
		began := time.Now()
		_ = s.mesh.Close() // ends copies at once
		s.took(began, 0)
		s.want(<-served, "200")
		s.want(<-waits, "200")
		s.took(began, 2*time.Second)
		synctest.Wait()
		if _, open := s.cables.counts(); open != 0 {
			t.Errorf("%d connections stand after the last request has ended", open)
		}
	})
}

// Tries of a race are requests under way like any other.
func TestARaceUnderWayHoldsNoCloseUp(t *testing.T) {
	hedged := func(_ *scene, c *mesh.Config) { c.Hedge = retry.Hedge{Max: 1, Delay: time.Second} }
	playWith(t, nil, hedged, func(s *scene) {
		for _, name := range []string{"one", "other"} {
			host := s.start("reviews", name)
			host.plays(later(time.Hour, host.says(200)))
		}
		under := s.begin("http://reviews/")
		s.pass(2 * time.Second)
		began := time.Now()
		_ = s.mesh.Close()
		s.took(began, 0)
		s.want(<-under, "200")
		s.pass(time.Second)
		if _, open := s.cables.counts(); open != 0 {
			t.Errorf("%d connections stand", open)
		}
	})
}

func TestARetryAfterCloseLeavesNoConnection(t *testing.T) {
	play(t, []string{route("reviews", "retries: {attempts: 2, retryOn: 5xx, backoff: 1ms}")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(func(w http.ResponseWriter, r *http.Request, n int) {
			later(time.Second, host.says([]int{503, 200}[n-1]))(w, r, n)
		})
		under := s.begin("http://reviews/")
		_ = s.mesh.Close()
		s.want(<-under, "200")
		s.pass(time.Second)
		if _, open := s.cables.counts(); open != 0 {
			t.Errorf("%d connections stand", open)
		}
	})
}

func TestABodyThatIsReadAfterCloseIsWhole(t *testing.T) {
	play(t, []string{route("reviews", "timeout: 1h")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(dripping(10, time.Second))
		resp, err := s.client.Do(s.request("GET", "http://reviews/", ""))
		if err != nil {
			t.Fatal(err)
		}
		_ = s.mesh.Close()
		n := 0
		for buf := make([]byte, 1); err == nil; {
			var m int
			m, err = resp.Body.Read(buf)
			n += m
		}
		_ = resp.Body.Close()
		if n != 10 {
			t.Errorf("read %d bytes and %v", n, err)
		}
	})
}

func TestAProbeOfAnEjectedHostDoesNotOutliveTheMesh(t *testing.T) {
	play(t, oneStrike(""), func(s *scene) {
		eject(s, s.start("reviews", "only"))
		_ = s.mesh.Close()
		before := len(told(s.journal, &s.journal.circuits))
		s.pass(time.Hour)
		if got := len(told(s.journal, &s.journal.circuits)); got != before {
			t.Errorf("%d events of circuits after Close", got-before)
		}
	})
}

func TestNewIsBoundedByItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, cfg := range []mesh.Config{{}, {Discovery: mute{}}} {
			m, err := mesh.New(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestASubsetThatIsRemovedLeavesNoConnection(t *testing.T) {
	to := func(subset string) string {
		return routes("reviews", "[{retries: {attempts: 0}, route: [{destination: {host: reviews, subset: "+subset+"}}]}]")
	}
	subsets := func(names ...string) string {
		list := "["
		for _, n := range names {
			list += "{name: " + n + ", labels: {version: v1}},"
		}
		return policyWith("reviews", "{connectionPool: {tcp: {maxConnections: 1}}}", list+"]")
	}
	play(t, []string{subsets("a", "b"), to("a")}, func(s *scene) {
		host := s.start("reviews", "only", "version", "v1")
		host.plays(later(time.Minute, host.says(200)))
		under, waits := s.begin("http://reviews/"), s.begin("http://reviews/")
		s.rule(subsets("b"), to("b"))
		s.want(<-under, "200")
		s.want(<-waits, "200")
		s.connections(2, 0) // the one who waited cannot have the first: it is closed
	})
}
