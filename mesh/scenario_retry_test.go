package mesh_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// retried is a route with retries that hardly wait.
func retried(more string) string {
	return route("reviews", "retries: {backoff: 1ms, "+more+"}")
}

func TestByDefaultAConnectFailureIsRetriedOnAnotherHost(t *testing.T) {
	play(t, nil, func(s *scene) {
		gone, here := s.start("reviews", "gone"), s.start("reviews", "here")
		gone.Refuse()
		for range 30 {
			s.want(s.get("http://reviews/"), "200")
			s.want(s.post("http://reviews/", "nothing of it was sent"), "200")
		}
		retries := told(s.journal, &s.journal.retries)
		if len(retries) == 0 || here.heard() != 60 {
			t.Fatalf("%d retries, %d requests served, want some and 60", len(retries), here.heard())
		}
		for _, r := range retries {
			if r.Endpoint != gone.Address() || r.Attempt != 1 || r.Err == nil || r.Wait >= 25*time.Millisecond {
				t.Errorf("retry %+v, want the first try to %s, within 25 ms", r, gone.Address())
			}
		}
		for _, r := range told(s.journal, &s.journal.requests) {
			if r.Flags != "-" || r.Status != 200 || r.Err != nil {
				t.Errorf("a retry that succeeds leaves no trace of the failure, got %+v", r)
			}
		}
	})
}

func TestByDefaultAnAnswerIsFinal(t *testing.T) {
	play(t, nil, func(s *scene) {
		host := s.start("reviews", "only")
		for i, status := range []int{500, 502, 503, 504, 429, 409} {
			host.plays(host.says(status))
			s.want(s.get("http://reviews/"), fmt.Sprint(status))
			if host.heard() != i+1 {
				t.Errorf("%d was retried", status)
			}
		}
	})
}

func TestByDefaultABrokenConnectionIsFinalForAPost(t *testing.T) {
	play(t, nil, func(s *scene) {
		host := s.start("reviews", "only")
		s.want(s.get("http://reviews/"), "200")
		host.plays(hangsUp)
		s.refused(s.post("http://reviews/", "executed, perhaps"), "upstream closed without answer", 503, "UC")
		if host.heard() != 2 {
			t.Errorf("a POST that may have been executed was sent %d times", host.heard()-1)
		}
	})
}

func TestByDefaultUnavailableIsRetriedForWhatMayBeExecutedTwice(t *testing.T) {
	for _, c := range []struct {
		method string
		fields []string
		tries  int
	}{
		{"GET", nil, 3}, {"PUT", nil, 3}, {"DELETE", nil, 3}, {"HEAD", nil, 3},
		{"POST", nil, 1}, {"PATCH", nil, 1},
		{"POST", []string{"Idempotency-Key", "7"}, 3},
	} {
		t.Run(fmt.Sprint(c.method, c.fields), func(t *testing.T) {
			play(t, nil, func(s *scene) {
				host := s.start("reviews", "only")
				host.plays(func(w http.ResponseWriter, _ *http.Request, _ int) { w.Header().Set("Grpc-Status", "14") })
				s.want(s.do(s.request(c.method, "http://reviews/", "", c.fields...)), "200")
				if host.heard() != c.tries {
					t.Errorf("tried %d times, want %d", host.heard(), c.tries)
				}
			})
		})
	}
}

func TestWrittenRetriesAreObeyedToTheLetter(t *testing.T) {
	answers := func(status int) func(*actor) part { return func(a *actor) part { return a.says(status) } }
	breaks := func(*actor) part { return hangsUp }
	slow := func(a *actor) part { return later(time.Hour, a.says(200)) }
	grpc := func(code string) func(*actor) part {
		return func(*actor) part {
			return func(w http.ResponseWriter, _ *http.Request, _ int) { w.Header().Set("Grpc-Status", code) }
		}
	}
	for _, c := range []struct {
		on      string
		plays   func(*actor) part
		retried bool
	}{
		{"5xx", answers(500), true}, {"5xx", answers(503), true}, {"5xx", answers(404), false}, {"5xx", breaks, true}, {"5xx", slow, true},
		{"gateway-error", answers(502), true}, {"gateway-error", answers(503), true}, {"gateway-error", answers(504), true},
		{"gateway-error", answers(500), false}, {"gateway-error", breaks, true}, {"gateway-error", slow, true},
		{"reset", breaks, true}, {"reset", answers(503), false}, {"reset", slow, true},
		{"connect-failure", breaks, false}, {"connect-failure", slow, false}, {"connect-failure", answers(503), false},
		{"retriable-4xx", answers(409), true}, {"retriable-4xx", answers(408), false}, {"retriable-4xx", answers(429), false},
		{"429", answers(429), true}, {"429", answers(503), false}, {"retriable-status-codes,418", answers(418), true},
		{"unavailable", grpc("14"), true}, {"unavailable", grpc("13"), false}, {"internal", grpc("13"), true},
		{"resource-exhausted", grpc("8"), true}, {"deadline-exceeded", grpc("4"), true}, {"cancelled", grpc("1"), true},
		{"refused-stream", answers(503), false}, {"reset-before-request", breaks, false},
	} {
		name := fmt.Sprint(c.on, " ", c.retried)
		play(t, []string{retried("attempts: 1, perTryTimeout: 1s, retryOn: '" + c.on + "'")}, func(s *scene) {
			host := s.start("reviews", "only")
			s.want(s.get("http://reviews/"), "200") // the connection stands
			host.plays(c.plays(host))
			s.post("http://reviews/", "a POST, and repeated")
			if got := host.heard() == 3; got != c.retried {
				t.Errorf("%s: sent %d times", name, host.heard()-1)
			}
		})
	}
}

// A retry is over when it is answered, as in Envoy, however long the answer takes: who
// reads a feed that came at the second try keeps nobody from theirs.
func TestARetryThatIsAnsweredMakesRoomForOthers(t *testing.T) {
	play(t, []string{retried("attempts: 1, retryOn: 5xx"), policy("reviews", "{connectionPool: {http: {maxRetries: 1}}}")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(func(w http.ResponseWriter, r *http.Request, n int) {
			if r.Header.Get("X-Envoy-Attempt-Count") == "" {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_ = http.NewResponseController(w).Flush()
			<-time.After(time.Minute)
		})
		first := s.begin("http://reviews/feed")
		s.pass(time.Second)
		if n := s.mesh.Clusters()[0].Retries; n != 0 {
			t.Errorf("%d retries are under way, want none: the one has its answer", n)
		}
		s.want(s.get("http://reviews/"), "200")
		s.want(<-first, "200")
	})
}

// A server that refuses a gRPC call for its rate says so in an answer of 200.
func TestWhatIsRateLimitedIsNotRetried(t *testing.T) {
	for on, want := range map[string]int{"5xx,unavailable,429": 1, "envoy-ratelimited": 2} {
		for name, says := range map[string]func(http.Header) int{
			"HTTP": func(http.Header) int { return http.StatusTooManyRequests },
			"gRPC": func(h http.Header) int {
				h.Set("Grpc-Status", "14")
				return http.StatusOK
			},
		} {
			play(t, []string{retried("attempts: 1, retryOn: '" + on + "'")}, func(s *scene) {
				host := s.start("reviews", "only")
				host.plays(func(w http.ResponseWriter, _ *http.Request, _ int) {
					w.Header().Set("X-Envoy-Ratelimited", "true")
					w.WriteHeader(says(w.Header()))
				})
				s.do(s.request("POST", "http://reviews/", "", "Content-Type", "application/grpc"))
				if host.heard() != want {
					t.Errorf("%s, %s: %d tries, want %d", name, on, host.heard(), want)
				}
			})
		}
	}
}

func TestAttemptsCountRetriesAndTheLastAnswerIsReturnedAsItCame(t *testing.T) {
	play(t, []string{retried("attempts: 3, retryOn: 5xx")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(host.saysInTurn(500, 501, 502, 503))
		a := s.get("http://reviews/")
		if a.status != 503 || a.body != "only" || host.heard() != 4 {
			t.Errorf("got %v %q after %d tries, want the fourth answer", a, a.body, host.heard())
		}
		if last := s.journal.last(); last.Flags != "URX" || last.Attempts != 4 || last.Status != 503 {
			t.Errorf("the observer heard %+v, want URX after 4 tries", last)
		}
		for i, q := range host.questions() {
			if got := q.Header.Get("X-Envoy-Attempt-Count"); i > 0 && got != fmt.Sprint(i+1) {
				t.Errorf("try %d says it is number %q", i+1, got)
			}
		}
	})
}

func TestExhaustedWithoutAnAnswer(t *testing.T) {
	play(t, []string{retried("attempts: 2, retryOn: connect-failure")}, func(s *scene) {
		s.start("reviews", "only").Refuse()
		s.refused(s.get("http://reviews/"), "connect failure", 503, "UF,URX")
		if last := s.journal.last(); last.Attempts != 3 {
			t.Errorf("%d attempts, want 3", last.Attempts)
		}
	})
}

func TestNoAttemptsNoRetries(t *testing.T) {
	play(t, []string{unretried("reviews")}, func(s *scene) {
		gone, here := s.start("reviews", "gone"), s.start("reviews", "here")
		gone.Refuse()
		failed := 0
		for range 40 {
			if a := s.get("http://reviews/"); a.err != nil {
				s.refused(a, "connect failure", 503, "UF")
				failed++
			}
		}
		if failed == 0 || failed+here.heard() != 40 {
			t.Errorf("%d failed and %d were served of 40", failed, here.heard())
		}
	})
}

func TestHostsThatFailedAreAvoided(t *testing.T) {
	play(t, []string{retried("attempts: 3, retryOn: 5xx")}, func(s *scene) {
		hosts := s.cast(4)
		for _, h := range hosts[:3] {
			h.plays(h.says(503))
		}
		for range 50 {
			s.want(s.get("http://reviews/"), "200")
		}
	})
}

func TestOneHostMayBeTriedAgain(t *testing.T) {
	play(t, []string{retried("attempts: 1, retryOn: 5xx")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(host.saysInTurn(503, 200))
		s.want(s.get("http://reviews/"), "200")
	})
}

func TestRateLimitedAnswersAreNotRetried(t *testing.T) {
	limits := func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.Header().Set("X-Envoy-Ratelimited", "true")
		w.WriteHeader(503)
	}
	for on, tries := range map[string]int{"5xx": 1, "5xx,envoy-ratelimited": 2} {
		play(t, []string{retried("attempts: 1, retryOn: '" + on + "'")}, func(s *scene) {
			host := s.start("reviews", "only")
			host.plays(limits)
			s.want(s.get("http://reviews/"), "503")
			if host.heard() != tries {
				t.Errorf("%s: %d tries, want %d", on, host.heard(), tries)
			}
		})
	}
}

func TestDiscardedAnswersLeaveTheirConnectionInUse(t *testing.T) {
	play(t, []string{retried("attempts: 5, retryOn: 5xx")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(func(w http.ResponseWriter, _ *http.Request, number int) {
			if number%6 != 0 {
				w.WriteHeader(503)
			}
			_, _ = io.WriteString(w, strings.Repeat("x", 2000))
		})
		for range 10 {
			s.want(s.get("http://reviews/"), "200")
		}
		if dials, _ := s.cables.counts(); dials > 2 {
			t.Errorf("%d connections for 60 tries one after the other", dials)
		}
	})
}
