package mesh_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestPerTryTimeoutLeadsToAnotherHost(t *testing.T) {
	play(t, []string{route("reviews", "retries: {attempts: 1, perTryTimeout: 1s, retryOn: 5xx, backoff: 1ms}")}, func(s *scene) {
		slow, quick := s.start("reviews", "slow"), s.start("reviews", "quick")
		slow.plays(later(time.Hour, slow.says(200)))
		for range 20 {
			began := time.Now()
			a := s.get("http://reviews/")
			if a.body != "quick" {
				t.Fatalf("got %v %q", a, a.body)
			}
			if took := time.Since(began); took > time.Second+time.Millisecond {
				t.Errorf("took %v, want a second for the first try at the most", took)
			}
		}
		if slow.heard() == 0 || quick.heard() != 20 {
			t.Errorf("%d and %d requests", slow.heard(), quick.heard())
		}
	})
}

func TestPerTryTimeoutIsNotRetriedUnlessARuleSaysSo(t *testing.T) {
	play(t, []string{route("reviews", "retries: {attempts: 3, perTryTimeout: 1s}")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Hour, host.says(200)))
		began := time.Now()
		s.refused(s.get("http://reviews/"), "timeout", 504, "UT")
		s.took(began, time.Second)
	})
}

func TestPerTryTimeoutIsForTheHeadersAlone(t *testing.T) {
	play(t, []string{route("reviews", "retries: {attempts: 1, perTryTimeout: 1s, retryOn: 5xx}")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(dripping(10, time.Second))
		a := s.get("http://reviews/")
		if a.err != nil || len(a.body) != 10 {
			t.Errorf("got %q %v, want the whole body, which takes ten seconds", a.body, a.err)
		}
	})
}

// dripping sends its headers at once and n bytes, one after each pause.
func dripping(n int, pause time.Duration) part {
	return func(w http.ResponseWriter, r *http.Request, _ int) {
		flush := func() { _ = http.NewResponseController(w).Flush() }
		flush()
		for range n {
			select {
			case <-time.After(pause):
			case <-r.Context().Done():
				return
			}
			_, _ = w.Write([]byte("."))
			flush()
		}
	}
}

func TestAPerTryTimeoutNotShorterThanTheTimeoutIsIgnored(t *testing.T) {
	play(t, []string{route("reviews", "timeout: 1s, retries: {attempts: 3, perTryTimeout: 1s, retryOn: 5xx}")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Hour, host.says(200)))
		began := time.Now()
		s.refused(s.get("http://reviews/"), "timeout", 504, "UT")
		s.took(began, time.Second)
		if host.heard() != 1 {
			t.Errorf("%d tries, want one", host.heard())
		}
	})
}

func TestTheTimeoutCoversAllTries(t *testing.T) {
	play(t, []string{route("reviews", "timeout: 1s, retries: {attempts: 10, retryOn: 5xx, backoff: 1ms}")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(400*time.Millisecond, host.says(503)))
		began := time.Now()
		a := s.get("http://reviews/")
		s.refused(a, "timeout", 504, "UT")
		s.took(began, time.Second)
		if !isTimeout(a.err) {
			t.Errorf("%v does not say that it is a timeout", a.err)
		}
		if host.heard() != 3 {
			t.Errorf("%d tries, want 3", host.heard())
		}
	})
}

func isTimeout(err error) bool {
	timeout, ok := err.(interface{ Timeout() bool })
	return ok && timeout.Timeout()
}

func TestAWaitThatOutlastsTheTimeoutIsNotBegun(t *testing.T) {
	play(t, []string{route("reviews", "timeout: 1s, retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(asksFor("2"))
		began := time.Now()
		a := s.get("http://reviews/")
		s.want(a, "503")
		s.took(began, 0)
		if host.heard() != 1 {
			t.Errorf("%d tries, want one", host.heard())
		}
	})
}

// asksFor answers 503 with a Retry-After, once; then 200.
func asksFor(retryAfter string) part {
	return func(w http.ResponseWriter, _ *http.Request, number int) {
		if number == 1 {
			w.Header().Set("Retry-After", retryAfter)
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
}

func TestRetryAfterIsHonouredWithinTheDeadline(t *testing.T) {
	for header, waits := range map[string]time.Duration{
		"2":                             2 * time.Second,
		"59":                            59 * time.Second,
		"Sat, 01 Jan 2000 00:00:05 GMT": 5 * time.Second, // a bubble begins with that day
	} {
		play(t, []string{route("reviews", "timeout: 1m, retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}")}, func(s *scene) {
			host := s.start("reviews", "only")
			host.plays(asksFor(header))
			began := time.Now()
			s.want(s.get("http://reviews/"), "200")
			s.took(began, waits)
		})
	}
}

func TestTheCallersDeadlineEndsTheWaitToo(t *testing.T) {
	play(t, []string{route("reviews", "retries: {attempts: 1, retryOn: 5xx}")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(asksFor("10"))
		began := time.Now()
		s.want(s.getWithin(5*time.Second, "http://reviews/"), "503")
		s.took(began, 0)
	})
}

func TestACallerWhoLeavesDuringABackOffIsNotKept(t *testing.T) {
	play(t, []string{route("reviews", "retries: {attempts: 1, retryOn: 5xx}")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(asksFor("10"))
		began := time.Now()
		a := s.cancelled(time.Second, "http://reviews/")
		s.refused(a, "cancelled by the caller", 499, "DC")
		s.took(began, time.Second)
	})
}

func TestRetriesUnderWayAreLimited(t *testing.T) {
	for _, limit := range []string{
		"connectionPool: {http: {maxRetries: 2}}",
		"retryBudget: {percent: 0, minRetryConcurrency: 2}",
		"retryBudget: {percent: 20, minRetryConcurrency: 1}",
		"retryBudget: {percent: 20, minRetryConcurrency: 1}, connectionPool: {http: {maxRetries: 1}}", // the budget takes its place
	} {
		documents := []string{policy("reviews", "{"+limit+"}"), retried("attempts: 1, retryOn: 5xx")}
		play(t, documents, func(s *scene) {
			host := s.start("reviews", "only")
			host.plays(later(time.Hour, host.says(200)))
			stay := s.crowd(10) // 20 % of these are 2 retries
			host.plays(func(w http.ResponseWriter, r *http.Request, n int) {
				if r.Header.Get("X-Envoy-Attempt-Count") == "" {
					host.says(503)(w, r, n)
				} else {
					later(time.Minute, host.says(200))(w, r, n)
				}
			})
			first, second := s.begin("http://reviews/"), s.begin("http://reviews/")
			s.pass(time.Second) // the back-off
			s.want(s.get("http://reviews/"), "503")
			if last := s.journal.last(); last.Flags != "UO" || last.Attempts != 1 {
				t.Errorf("%s: the observer heard %+v, want UO", limit, last)
			}
			s.want(<-first, "200")
			s.want(<-second, "200")
			third := s.begin("http://reviews/")
			s.want(<-third, "200")
			for _, a := range stay {
				s.want(<-a, "200")
			}
		})
	}
}

func TestABudgetCountsARequestInLineOnce(t *testing.T) {
	documents := []string{
		policy("reviews", "{retryBudget: {percent: 20, minRetryConcurrency: 1}, connectionPool: {tcp: {maxConnections: 5}}}"),
		retried("attempts: 1, retryOn: 5xx"),
	}
	play(t, documents, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(func(w http.ResponseWriter, r *http.Request, n int) {
			status := 503
			if r.Header.Get("X-Envoy-Attempt-Count") != "" {
				status = 200
			}
			later(time.Minute, host.says(status))(w, r, n)
		})
		line := s.crowd(20) // five are served, fifteen wait: 20 % are 4, not 7
		s.pass(time.Minute + time.Second)
		if got := len(told(s.journal, &s.journal.retries)); got > 4 {
			t.Errorf("%d retries with 20 requests under way, the budget is 20 %%", got)
		}
		for _, a := range line {
			<-a
		}
	})
}

func TestABudgetByTheRequestsOfAnInterval(t *testing.T) {
	documents := []string{
		policy("reviews", "{retryBudget: {percent: 50, minRetryConcurrency: 1, budgetInterval: 10s}}"),
		retried("attempts: 1, retryOn: 5xx"),
	}
	play(t, documents, func(s *scene) {
		host := s.start("reviews", "only")
		for range 9 {
			s.want(s.get("http://reviews/"), "200")
		}
		host.plays(func(w http.ResponseWriter, r *http.Request, n int) {
			if r.Header.Get("X-Envoy-Attempt-Count") == "" {
				host.says(503)(w, r, n)
			} else {
				later(time.Second, host.says(200))(w, r, n)
			}
		})
		got := map[string]int{}
		for _, a := range s.crowd(16) {
			got[fmt.Sprint(<-a)]++
		}
		if got["200"] < 5 || got["200"] > 13 {
			t.Errorf("got %v, want retries for half of the 10 to 25 requests of the last ten seconds", got)
		}
	})
}

// Retries are not among the requests by which a budget goes: the more there were, the
// more would be allowed.
func TestRetriesAddNothingToTheirBudget(t *testing.T) {
	documents := []string{
		policy("reviews", "{retryBudget: {percent: 50, minRetryConcurrency: 1, budgetInterval: 100s}}"),
		retried("attempts: 4, retryOn: 5xx"),
	}
	play(t, documents, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(host.says(503))
		for range 10 {
			s.want(s.get("http://reviews/"), "503") // five tries each
		}
		host.plays(func(w http.ResponseWriter, r *http.Request, n int) {
			if r.Header.Get("X-Envoy-Attempt-Count") == "" {
				later(time.Second, host.says(503))(w, r, n)
			} else {
				later(time.Second, host.says(200))(w, r, n)
			}
		})
		got := map[string]int{}
		for _, a := range s.crowd(20) {
			got[fmt.Sprint(<-a)]++
		}
		if got["200"] != 15 || got["503"] != 5 {
			t.Errorf("got %v, want retries for half of the 30 requests of the last hundred seconds", got)
		}
	})
}
