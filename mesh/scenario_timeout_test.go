package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestTheRoutesTimeoutEndsARequest(t *testing.T) {
	play(t, []string{route("reviews", "timeout: 2s")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Hour, host.says(200)))
		began := time.Now()
		a := s.get("http://reviews/")
		s.refused(a, "timeout", 504, "UT")
		s.took(began, 2*time.Second)
		if !errors.Is(a.err, mesh.ErrTimeout) || !errors.Is(a.err, context.DeadlineExceeded) || !isTimeout(a.err) {
			t.Errorf("%v is not a timeout to those who ask", a.err)
		}
	})
}

func TestTheTimeoutHoldsForTheBodyToo(t *testing.T) {
	play(t, []string{route("reviews", "timeout: 2s")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(dripping(10, 700*time.Millisecond))
		began := time.Now()
		a := s.get("http://reviews/")
		s.took(began, 2*time.Second)
		if a.status != 200 || a.body != ".." || !errors.Is(a.err, context.DeadlineExceeded) {
			t.Errorf("got %d %q %v, want two bytes and a deadline", a.status, a.body, a.err)
		}
		if last := s.journal.last(); last.Flags != "UT" || last.Status != 200 || last.Duration != 2*time.Second {
			t.Errorf("the observer heard %+v, want UT after two seconds", last)
		}
	})
}

func TestATimeUpInTheMiddleOfAnAnswerIsNoFailureOfTheHost(t *testing.T) {
	documents := []string{policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1}}"), route("reviews", "timeout: 2s")}
	play(t, documents, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(dripping(10, time.Second))
		for range 3 {
			if a := s.get("http://reviews/"); !errors.Is(a.err, context.DeadlineExceeded) {
				t.Errorf("got %v %v", a, a.err)
			}
			if a := s.getWithin(time.Second, "http://reviews/"); a.status != 200 || s.journal.last().Flags != "UT" {
				t.Errorf("got %v, flags %s", a, s.journal.last().Flags)
			}
		}
	})
}

func TestAnAnswerThatBreaksOffIsAFailureOfTheHost(t *testing.T) {
	documents := []string{policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1}}")}
	play(t, documents, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(cutOff)
		if a := s.get("http://reviews/"); !errors.Is(a.err, io.ErrUnexpectedEOF) || s.journal.last().Flags != "UC" {
			t.Errorf("got %v %v, flags %s", a, a.err, s.journal.last().Flags)
		}
		s.want(s.get("http://reviews/"), noHealthy)
	})
}

func TestATimeoutThatIsNotReachedLeavesTheBodyAlone(t *testing.T) {
	play(t, []string{route("reviews", "timeout: 1m")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(dripping(10, time.Second))
		if a := s.get("http://reviews/"); a.body != ".........." || a.err != nil {
			t.Errorf("got %q %v", a.body, a.err)
		}
	})
}

func TestWithoutARuleThereIsNoTimeout(t *testing.T) {
	play(t, nil, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(100*time.Hour, host.says(200)))
		s.want(s.get("http://reviews/"), "200")
		if got := host.questions()[0].Header.Get("X-Envoy-Expected-Rq-Timeout-Ms"); got != "" {
			t.Errorf("the host was told of a deadline, %q", got)
		}
	})
}

func TestTheShorterOfTheCallersAndTheRoutesTimeWins(t *testing.T) {
	for _, c := range []struct{ caller, want time.Duration }{{time.Second, time.Second}, {time.Minute, 2 * time.Second}} {
		play(t, []string{route("reviews", "timeout: 2s")}, func(s *scene) {
			host := s.start("reviews", "only")
			host.plays(later(time.Hour, host.says(200)))
			began := time.Now()
			s.refused(s.getWithin(c.caller, "http://reviews/"), "timeout", 504, "UT")
			s.took(began, c.want)
		})
	}
}

func TestATimeoutOfTheClientIsATimeout(t *testing.T) {
	play(t, nil, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Hour, host.says(200)))
		s.client.Timeout = 3 * time.Second
		began := time.Now()
		a := s.get("http://reviews/")
		s.took(began, 3*time.Second)
		if last := s.journal.last(); !os.IsTimeout(a.err) || last.Flags != "UT" {
			t.Errorf("got %v, the observer heard %+v", a.err, last)
		}
	})
}

func TestADeadlineWithACauseIsATimeout(t *testing.T) {
	play(t, nil, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Hour, host.says(200)))
		cause := errors.New("the page took too long")
		ctx, cancel := context.WithTimeoutCause(s.Context(), time.Second, cause)
		defer cancel()
		a := s.do(s.request("GET", "http://reviews/", "").WithContext(ctx))
		s.refused(a, "timeout", 504, "UT")
		if !errors.Is(a.err, cause) {
			t.Errorf("%v does not hold the cause", a.err)
		}
	})
}

func TestACallerWhoCancelsIsToldSo(t *testing.T) {
	play(t, nil, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Hour, host.says(200)))
		began := time.Now()
		a := s.cancelled(time.Second, "http://reviews/")
		s.refused(a, "cancelled by the caller", 499, "DC")
		s.took(began, time.Second)
		if !errors.Is(a.err, context.Canceled) || !errors.Is(a.err, mesh.ErrCanceled) || isTimeout(a.err) {
			t.Errorf("%v is no cancellation to those who ask", a.err)
		}
	})
}

func TestACallerWhoCancelsWithACauseIsToldSo(t *testing.T) {
	play(t, nil, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Hour, host.says(200)))
		cause := errors.New("another answer was quicker")
		ctx, cancel := context.WithCancelCause(s.Context())
		defer time.AfterFunc(time.Second, func() { cancel(cause) }).Stop()
		a := s.do(s.request("GET", "http://reviews/", "").WithContext(ctx))
		s.refused(a, "cancelled by the caller", 499, "DC")
		if !errors.Is(a.err, cause) {
			t.Errorf("%v does not hold the cause", a.err)
		}
	})
}

func TestAHostIsToldHowLongTheCallerWillWait(t *testing.T) {
	play(t, []string{route("reviews", "timeout: 5s, retries: {attempts: 1, perTryTimeout: 2s, retryOn: 5xx, backoff: 1ms}")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(host.saysInTurn(503, 200))
		s.want(s.get("http://reviews/"), "200")
		for i, want := range []string{"2000", "2000"} {
			if got := host.questions()[i].Header.Get("X-Envoy-Expected-Rq-Timeout-Ms"); got != want {
				t.Errorf("try %d: told %s ms, want %s", i+1, got, want)
			}
		}
		s.want(s.getWithin(1500*time.Millisecond, "http://reviews/"), "200")
		if got := host.questions()[2].Header.Get("X-Envoy-Expected-Rq-Timeout-Ms"); got != "1500" {
			t.Errorf("told %s ms, want what is left of the caller's time", got)
		}
	})
}

// chain makes productpage, whose own mesh calls reviews on behalf of its caller,
// and says how that ended. If badly, it has no answer for its caller either.
func (s *scene) chain(cfg mesh.Config) (done chan error) {
	s.Helper()
	cfg.Workload.Service = "productpage"
	m := s.fleet.Mesh(cfg)
	onward := &http.Client{Transport: m.Transport(s.fleet.Base())}
	done = make(chan error, 10)
	s.fleet.Start("productpage", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gone := r.Context().Done() // when the caller hangs up
		m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			to, err := http.NewRequestWithContext(r.Context(), "GET", "http://reviews/", nil)
			if err != nil {
				s.Error(err)
				return
			}
			resp, err := onward.Do(to)
			if done <- err; err != nil {
				<-gone
				return
			}
			defer func() { _ = resp.Body.Close() }()
			_, _ = io.Copy(w, resp.Body)
		})).ServeHTTP(w, r)
	}), nil)
	return done
}

func TestADeadlineIsHandedOnAndHonouredByTheNextHop(t *testing.T) {
	play(t, []string{route("productpage", "timeout: 3s")}, func(s *scene) {
		host := s.start("reviews", "only")
		left := make(chan time.Time, 1)
		host.plays(func(_ http.ResponseWriter, r *http.Request, _ int) {
			<-r.Context().Done()
			left <- time.Now()
		})
		onward := s.chain(mesh.Config{})
		began := time.Now()
		s.refused(s.get("http://productpage/"), "timeout", 504, "UT")
		s.took(began, 3*time.Second)
		if err := <-onward; !errors.Is(err, mesh.ErrTimeout) && !errors.Is(err, mesh.ErrCanceled) {
			t.Errorf("productpage got %v from reviews", err)
		}
		if at := (<-left).Sub(began); at != 3*time.Second {
			t.Errorf("reviews was let go after %v, want the first caller's 3 s", at)
		}
		if got := host.questions()[0].Header.Get("X-Envoy-Expected-Rq-Timeout-Ms"); got != "3000" {
			t.Errorf("reviews was told %q ms, want 3000", got)
		}
	})
}

func TestTheNextHopMayOnlyShortenTheDeadline(t *testing.T) {
	for own, want := range map[string]time.Duration{"1s": time.Second, "1h": 3 * time.Second} {
		play(t, []string{route("productpage", "timeout: 3s")}, func(s *scene) {
			host := s.start("reviews", "only")
			host.plays(later(time.Hour, host.says(200)))
			onward := s.chain(mesh.Config{Rules: rules.Static(route("reviews", "timeout: "+own))})
			began := time.Now()
			page := s.begin("http://productpage/")
			<-onward
			s.took(began, want)
			s.want(<-page, "timeout")
		})
	}
}

func TestAnInboundDeadlineMayBeIgnored(t *testing.T) {
	play(t, []string{route("productpage", "timeout: 3s")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(host.says(200))
		onward := s.chain(mesh.Config{IgnoreInboundDeadline: true})
		s.want(s.get("http://productpage/"), "200")
		<-onward
		if got := host.questions()[0].Header.Get("X-Envoy-Expected-Rq-Timeout-Ms"); got != "" {
			t.Errorf("reviews was told %q ms", got)
		}
	})
}

func TestADeadlineThatIsNoNumberIsNone(t *testing.T) {
	play(t, nil, func(s *scene) {
		handler := s.mesh.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, ok := r.Context().Deadline(); ok {
				w.WriteHeader(http.StatusTeapot)
			}
		}))
		s.fleet.Start("page", handler, nil)
		for _, value := range []string{"", "-5", "0", "soon", "1.5", "99999999999999999999", "9223372036854775807"} {
			s.want(s.get("http://page/", "X-Envoy-Expected-Rq-Timeout-Ms", value), "200")
		}
		s.want(s.get("http://page/", "X-Envoy-Expected-Rq-Timeout-Ms", "5"), "418")
	})
}

func TestTheTimeoutHoldsWhileDiscoveryIsSilent(t *testing.T) {
	configure := func(_ *scene, cfg *mesh.Config) { cfg.Discovery = mute{} }
	playWith(t, []string{route("reviews", "timeout: 1s")}, configure, func(s *scene) {
		began := time.Now()
		s.refused(s.get("http://reviews/"), "timeout", 504, "UT")
		s.took(began, time.Second)
	})
}

func TestNothingLeaksFromRequestsThatAreCutOff(t *testing.T) {
	play(t, []string{route("reviews", "timeout: 2s")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Hour, host.says(200)))
		for range 10 {
			s.get("http://reviews/")
			s.cancelled(time.Second, "http://reviews/")
		}
		s.client.CloseIdleConnections()
		synctest.Wait()
		if _, open := s.cables.counts(); open != 0 {
			t.Errorf("%d connections stand", open)
		}
	})
}

func TestHeadersOfACallerDoNotOverrideTheRule(t *testing.T) {
	play(t, []string{route("reviews", "timeout: 5s, retries: {attempts: 1, retryOn: 5xx, backoff: 1ms}")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(2*time.Second, host.says(503)))
		a := s.get("http://reviews/", "X-Envoy-Upstream-Rq-Timeout-Ms", "1", "X-Envoy-Upstream-Rq-Per-Try-Timeout-Ms", "1",
			"X-Envoy-Max-Retries", "9", "X-Envoy-Retry-On", "retriable-4xx")
		s.want(a, "503")
		if host.heard() != 2 {
			t.Errorf("%d tries, the rule says two", host.heard())
		}
	})
}

// A lateContext ends a moment after its deadline, as any does when timers are late.
type lateContext struct {
	context.Context
	deadline time.Time
}

func (c lateContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Who goes by the same deadline may notice it before the context does, which alone
// knows why there was one.
func TestTheCauseOfADeadlineIsToldThoughADiallerNoticesFirst(t *testing.T) {
	early := func(_ *scene, c *mesh.Config) {
		c.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			at, _ := ctx.Deadline()
			<-time.After(time.Until(at))
			return nil, os.ErrDeadlineExceeded
		}
	}
	playWith(t, []string{unretried("reviews")}, early, func(s *scene) {
		s.start("reviews", "only")
		why := errors.New("why")
		late := func() (context.Context, context.CancelFunc) {
			at := time.Now().Add(time.Second)
			ctx, cancel := context.WithDeadlineCause(s.Context(), at.Add(time.Millisecond), why)
			return lateContext{ctx, at}, cancel
		}
		ctx, cancel := late()
		defer cancel()
		if a := s.do(s.request(http.MethodGet, "http://reviews/", "").WithContext(ctx)); !errors.Is(a.err, why) || !errors.Is(a.err, mesh.ErrTimeout) {
			s.Errorf("HTTP: got %v", a.err)
		}
		ctx, cancel = late()
		defer cancel()
		if _, err := s.mesh.DialContext(ctx, "tcp", "reviews:80"); !errors.Is(err, why) || !errors.Is(err, mesh.ErrTimeout) {
			s.Errorf("TCP: got %v", err)
		}
	})
}

// So may the wait for the first word of a source, in a call that comes too late.
func TestTheCauseOfADeadlineThatHasPassedIsTold(t *testing.T) {
	play(t, []string{unretried("reviews")}, func(s *scene) {
		s.start("reviews", "only")
		why := errors.New("why")
		ctx, cancel := context.WithDeadlineCause(s.Context(), time.Now().Add(-time.Second), why)
		defer cancel()
		for port := range 50 {
			url := fmt.Sprintf("http://reviews:%d/", 8000+port) // whose endpoints nobody has asked for yet
			if a := s.do(s.request(http.MethodGet, url, "").WithContext(ctx)); !errors.Is(a.err, why) {
				s.Errorf("port %d: got %v", port, a.err)
			}
		}
	})
}
