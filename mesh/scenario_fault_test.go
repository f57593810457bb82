package mesh_test

import (
	"fmt"
	"testing"
	"time"
)

func faulty(fault, more string) string {
	return route("reviews", "fault: "+fault+more)
}

func TestADelayIsInjectedAndThenTheRequestGoesOn(t *testing.T) {
	play(t, []string{faulty("{delay: {fixedDelay: 7s, percentage: {value: 100}}}", "")}, func(s *scene) {
		host := s.start("reviews", "only")
		began := time.Now()
		s.want(s.get("http://reviews/"), "200")
		s.took(began, 7*time.Second)
		if last := s.journal.last(); last.Flags != "DI" || host.questions()[0].at.Sub(began) != 7*time.Second {
			t.Errorf("the observer heard %+v", last)
		}
	})
}

func TestAnAbortTouchesNoUpstream(t *testing.T) {
	documents := []string{
		policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1}, connectionPool: {http: {http2MaxRequests: 1}}}"),
		faulty("{abort: {httpStatus: 503, percentage: {value: 100}}}", ", retries: {attempts: 3, retryOn: 5xx}"),
	}
	play(t, documents, func(s *scene) {
		host := s.start("reviews", "only")
		for range 5 {
			a := s.get("http://reviews/")
			if a.status != 503 || a.body != "fault filter abort" || a.err != nil {
				t.Errorf("got %v %q %v", a, a.body, a.err)
			}
			if last := s.journal.last(); last.Flags != "FI" || last.Status != 503 || last.Attempts != 0 {
				t.Errorf("the observer heard %+v", last)
			}
		}
		if host.heard() != 0 || len(told(s.journal, &s.journal.circuits)) != 0 {
			t.Errorf("%d requests reached the host", host.heard())
		}
		s.rule(documents[0])
		s.want(s.get("http://reviews/"), "200") // and nothing was counted
	})
}

func TestTheDelayComesBeforeTheAbort(t *testing.T) {
	play(t, []string{faulty("{delay: {fixedDelay: 2s, percentage: {value: 100}}, abort: {httpStatus: 418, percentage: {value: 100}}}", ", timeout: 1s")}, func(s *scene) {
		s.start("reviews", "only")
		began := time.Now()
		s.want(s.get("http://reviews/"), "418")
		s.took(began, 2*time.Second) // the timeout starts after it
		if last := s.journal.last(); last.Flags != "DI,FI" {
			t.Errorf("flags %s", last.Flags)
		}
	})
}

func TestTheTimeoutStartsAfterADelay(t *testing.T) {
	play(t, []string{faulty("{delay: {fixedDelay: 5s, percentage: {value: 100}}}", ", timeout: 1s")}, func(s *scene) {
		host := s.start("reviews", "only")
		s.want(s.get("http://reviews/"), "200")
		host.plays(later(time.Hour, host.says(200)))
		began := time.Now()
		s.refused(s.get("http://reviews/"), "timeout", 504, "UT,DI")
		s.took(began, 6*time.Second)
	})
}

func TestACallerWhoLeavesDuringADelay(t *testing.T) {
	play(t, []string{faulty("{delay: {fixedDelay: 5s, percentage: {value: 100}}}", "")}, func(s *scene) {
		host := s.start("reviews", "only")
		began := time.Now()
		s.refused(s.getWithin(time.Second, "http://reviews/"), "timeout", 504, "UT,DI")
		s.refused(s.cancelled(time.Second, "http://reviews/"), "cancelled by the caller", 499, "DC,DI")
		s.took(began, 2*time.Second)
		if host.heard() != 0 {
			t.Error("a request without a caller went on")
		}
	})
}

func TestFaultsHitTheirPercentage(t *testing.T) {
	const n = 4_000
	for _, c := range []struct {
		percentage string
		share      float64
	}{
		{", percentage: {value: 25}", 0.25}, {", percentage: {value: 0.5}", 0.005}, {", percentage: {value: 0}", 0}, {"", 0},
		{", percentage: {value: 100}", 1},
	} {
		t.Run(fmt.Sprint(c.share, c.percentage), func(t *testing.T) {
			play(t, []string{faulty("{abort: {httpStatus: 418"+c.percentage+"}}", "")}, func(s *scene) {
				s.start("reviews", "only")
				s.unwired()
				aborted := 0
				for range n {
					if s.get("http://reviews/").status == 418 {
						aborted++
					}
				}
				binomial(t, "aborted", aborted, n, c.share)
			})
		})
	}
}

func TestTheTwoRollsAreIndependent(t *testing.T) {
	const n = 4_000
	play(t, []string{faulty("{delay: {fixedDelay: 1ms, percentage: {value: 50}}, abort: {httpStatus: 418, percentage: {value: 50}}}", "")}, func(s *scene) {
		s.start("reviews", "only")
		s.unwired()
		flags := map[string]int{}
		for range n {
			s.get("http://reviews/")
			flags[s.journal.last().Flags]++
		}
		for _, f := range []string{"-", "DI", "FI", "DI,FI"} {
			binomial(t, f, flags[f], n, 0.25)
		}
	})
}

func TestAnAbortWithAGRPCStatusIsATrailersOnlyAnswer(t *testing.T) {
	play(t, []string{faulty("{abort: {grpcStatus: RESOURCE_EXHAUSTED, percentage: {value: 100}}}", "")}, func(s *scene) {
		s.start("reviews", "only")
		a := s.post("http://reviews/", "")
		if a.status != 200 || a.header.Get("Grpc-Status") != "8" || a.header.Get("Content-Type") != "application/grpc" || a.body != "" {
			t.Errorf("got %v %v %q", a, a.header, a.body)
		}
		if last := s.journal.last(); last.Flags != "FI" {
			t.Errorf("flags %s", last.Flags)
		}
	})
}

func TestAFaultClosesTheCallersBody(t *testing.T) {
	play(t, []string{faulty("{abort: {httpStatus: 503, percentage: {value: 100}}}", "")}, func(s *scene) {
		body := &closing{}
		r := s.request("POST", "http://reviews/", "")
		r.Body, r.ContentLength = body, 5
		s.want(s.do(r), "503")
		if body.closed != 1 {
			t.Errorf("closed %d times", body.closed)
		}
	})
}

// closing is a body that counts how often it is closed.
type closing struct{ closed int }

func (c *closing) Read(p []byte) (int, error) { return copy(p, "hello"), nil }
func (c *closing) Close() error {
	c.closed++
	return nil
}
