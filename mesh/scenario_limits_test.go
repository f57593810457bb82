package mesh_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

const overflow = "circuit breaker overflow"

func limited(http string) []string {
	return []string{policy("reviews", "{connectionPool: {http: "+http+"}}"), unretried("reviews")}
}

// crowd begins n requests that stay under way until their hosts answer.
func (s *scene) crowd(n int) []<-chan answer {
	s.Helper()
	out := make([]<-chan answer, n)
	for i := range out {
		out[i] = s.begin(fmt.Sprint("http://reviews/", i))
	}
	return out
}

func TestMoreThanHTTP2MaxRequestsOverflow(t *testing.T) {
	play(t, limited("{http2MaxRequests: 3}"), func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Second, host.says(200)))
		within := s.crowd(3)
		s.refused(s.get("http://reviews/"), overflow, 503, "UO")
		for _, a := range within {
			s.want(<-a, "200")
		}
		s.want(s.get("http://reviews/"), "200")
		if host.heard() != 4 {
			t.Errorf("%d requests reached the host, want 4", host.heard())
		}
	})
}

func TestLimitsHoldForAllHostsOfAClusterTogether(t *testing.T) {
	play(t, limited("{http2MaxRequests: 4}"), func(s *scene) {
		for _, h := range s.cast(3) {
			h.plays(later(time.Second, h.says(200)))
		}
		within := s.crowd(4)
		s.want(s.get("http://reviews/"), overflow)
		for _, a := range within {
			s.want(<-a, "200")
		}
	})
}

func TestSubsetsHaveLimitsOfTheirOwn(t *testing.T) {
	documents := []string{
		policyWith("reviews", "{connectionPool: {http: {http2MaxRequests: 1}}}", "[{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]"),
		routes("reviews", `[{match: [{uri: {prefix: /v1}}], route: [{destination: {host: reviews, subset: v1}}]},
		                    {route: [{destination: {host: reviews, subset: v2}}]}]`),
	}
	play(t, documents, func(s *scene) {
		for _, v := range []string{"v1", "v2"} {
			host := s.start("reviews", v, "version", v)
			host.plays(later(time.Second, host.says(200)))
		}
		first, second := s.begin("http://reviews/v1"), s.begin("http://reviews/v2")
		s.want(s.get("http://reviews/v1"), overflow)
		s.want(s.get("http://reviews/v2"), overflow)
		s.want(<-first, "200")
		s.want(<-second, "200")
	})
}

func TestRequestsWaitInLineForAConnection(t *testing.T) {
	documents := []string{policy("reviews", "{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 3}}}"), unretried("reviews")}
	play(t, documents, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Second, host.says(200)))
		began := time.Now()
		line := s.crowd(4)
		s.refused(s.get("http://reviews/"), overflow, 503, "UO")
		for _, a := range line {
			s.want(<-a, "200")
		}
		s.took(began, 4*time.Second)
		var order []string
		for _, q := range host.questions() {
			order = append(order, q.URL.Path)
		}
		if want := []string{"/0", "/1", "/2", "/3"}; !slices.Equal(order, want) {
			t.Errorf("served in the order %v, want first come, first served: %v", order, want)
		}
		if dials, open := s.cables.counts(); dials != 1 || open != 1 {
			t.Errorf("%d connections made, %d stand, want one", dials, open)
		}
	})
}

func TestAWaiterWhoLeavesMakesRoomInTheLine(t *testing.T) {
	documents := []string{policy("reviews", "{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}}"), unretried("reviews")}
	play(t, documents, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Minute, host.says(200)))
		first := s.begin("http://reviews/first")
		s.want(s.cancelled(time.Second, "http://reviews/leaves"), "cancelled by the caller")
		s.want(s.getWithin(time.Second, "http://reviews/late"), "timeout")
		last := s.begin("http://reviews/last")
		s.want(s.get("http://reviews/more"), overflow)
		s.want(<-first, "200")
		s.want(<-last, "200")
		if host.heard() != 2 {
			t.Errorf("%d requests reached the host, want the first and the last", host.heard())
		}
	})
}

func TestConnectionsToAllHostsTogetherAreLimited(t *testing.T) {
	documents := []string{policy("reviews", "{connectionPool: {tcp: {maxConnections: 2}}}"), unretried("reviews")}
	play(t, documents, func(s *scene) {
		s.cast(5)
		for range 20 {
			for _, a := range s.crowd(2) {
				s.want(<-a, "200")
			}
			if _, open := s.cables.counts(); open > 2 {
				t.Fatalf("%d connections stand, the limit is 2", open)
			}
		}
	})
}

func TestChangedLimitsHoldAtOnce(t *testing.T) {
	play(t, limited("{http2MaxRequests: 1}"), func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Hour, host.says(200)))
		under := s.crowd(1)
		s.want(s.get("http://reviews/"), overflow)
		s.rule(limited("{http2MaxRequests: 3}")...)
		under = append(under, s.crowd(2)...)
		s.want(s.get("http://reviews/"), overflow)
		s.rule(limited("{http2MaxRequests: 1}")...)
		s.want(s.get("http://reviews/"), overflow) // those above the limit stay
		s.rule(unretried("reviews"))
		under = append(under, s.crowd(5)...)
		for _, a := range under {
			s.want(<-a, "200")
		}
	})
}

func TestARaisedConnectionLimitLetsWaitersGo(t *testing.T) {
	rule := func(n int) []string {
		return []string{policy("reviews", fmt.Sprintf("{connectionPool: {tcp: {maxConnections: %d}}}", n)), unretried("reviews")}
	}
	play(t, rule(1), func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Hour, host.says(200)))
		line := s.crowd(3)
		if host.heard() != 1 {
			t.Fatalf("%d requests reached the host, want 1", host.heard())
		}
		s.rule(rule(3)...)
		if host.heard() != 3 {
			t.Errorf("%d requests reached the host, the limit is 3 now", host.heard())
		}
		for _, a := range line {
			s.want(<-a, "200")
		}
	})
}

// endings are the ways in which a request can end.
func endings() map[string]func(*scene, *actor) {
	return map[string]func(*scene, *actor){
		"answered": func(s *scene, _ *actor) { s.want(s.get("http://reviews/"), "200") },
		"5xx": func(s *scene, host *actor) {
			host.plays(host.says(500))
			s.want(s.get("http://reviews/"), "500")
		},
		"refused": func(s *scene, host *actor) {
			host.Refuse()
			s.want(s.get("http://reviews/"), "connect failure")
			host.Recover()
		},
		"hung up": func(s *scene, host *actor) {
			host.plays(hangsUp)
			s.want(s.post("http://reviews/", "text"), "upstream closed without answer")
		},
		"timeout": func(s *scene, host *actor) {
			host.plays(later(time.Hour, host.says(200)))
			s.want(s.get("http://reviews/"), "timeout")
		},
		"cancelled": func(s *scene, host *actor) {
			host.plays(later(time.Hour, host.says(200)))
			s.want(s.cancelled(time.Second, "http://reviews/"), "cancelled by the caller")
		},
		"cancelled before": func(s *scene, _ *actor) {
			ctx, cancel := context.WithCancel(s.Context())
			cancel()
			s.want(s.do(s.request("GET", "http://reviews/", "").WithContext(ctx)), "cancelled by the caller")
		},
		"closed early": func(s *scene, host *actor) {
			host.plays(long)
			resp, err := s.client.Do(s.request("GET", "http://reviews/", ""))
			if err != nil {
				s.Fatal(err)
			}
			_ = resp.Body.Close()
		},
		"body cut off": func(s *scene, host *actor) {
			host.plays(cutOff)
			if a := s.get("http://reviews/"); a.err == nil {
				s.Error("an answer that breaks off is no answer")
			}
		},
	}
}

// long sends more than anybody reads.
func long(w http.ResponseWriter, _ *http.Request, _ int) {
	for {
		if _, err := w.Write(make([]byte, 32<<10)); err != nil {
			return
		}
	}
}

// cutOff breaks off in the middle of the answer.
func cutOff(w http.ResponseWriter, r *http.Request, number int) {
	w.Header().Set("Content-Length", "100")
	_, _ = w.Write([]byte("half"))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func TestPlacesAreGivenBackHoweverARequestEnds(t *testing.T) {
	documents := []string{
		policy("reviews", "{connectionPool: {tcp: {maxConnections: 1}, http: {http2MaxRequests: 1, http1MaxPendingRequests: 1, maxRetries: 1}}}"),
		route("reviews", "timeout: 5s, retries: {attempts: 2, retryOn: '5xx', backoff: 1ms}"),
	}
	for name, end := range endings() {
		t.Run(name, func(t *testing.T) {
			play(t, documents, func(s *scene) {
				host := s.start("reviews", "only")
				for range 3 {
					end(s, host)
					synctest.Wait()
					host.plays(host.says(200))
					s.want(s.get("http://reviews/"), "200")
				}
				c := s.mesh.Clusters()
				if len(c) != 1 || c[0].Requests != 0 || c[0].Pending != 0 || c[0].Retries != 0 || c[0].Endpoints[0].Active != 0 {
					t.Errorf("still held after all has ended: %+v", c)
				}
			})
		})
	}
}

func TestAPortsSettingsReplaceThoseOfTheService(t *testing.T) {
	rule := policy("reviews", `{connectionPool: {http: {http2MaxRequests: 1}}, outlierDetection: {consecutive5xxErrors: 1},
		portLevelSettings: [{port: {number: 9080}, loadBalancer: {simple: RANDOM}}]}`)
	play(t, []string{rule, unretried("reviews")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Second, host.says(500)))
		first, second := s.begin("http://reviews:9080/"), s.begin("http://reviews:9080/")
		other := s.begin("http://reviews:9081/")
		s.want(s.get("http://reviews:9081/"), overflow) // by the top level
		s.want(<-first, "500")
		s.want(<-second, "500") // the port's own entry says nothing of limits
		s.want(<-other, "500")
		s.want(s.get("http://reviews:9080/"), "500") // nor of ejections
		s.want(s.get("http://reviews:9081/"), noHealthy)
	})
}
