package h1_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

// A tether is a context that one function can be tied to.
type tether struct {
	context.Context
	mu    sync.Mutex
	over  chan struct{}
	err   error
	f     func()
	ties  int
	loose int
}

func newTether() *tether { return &tether{Context: context.Background(), over: make(chan struct{})} }

func (e *tether) Done() <-chan struct{} { return e.over }

func (e *tether) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

func (e *tether) Tie(f func()) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil || e.f != nil {
		return false
	}
	e.f = f
	e.ties++
	return true
}

func (e *tether) Untie() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	tied := e.f != nil
	e.f = nil
	if tied {
		e.loose++
	}
	return tied
}

func (e *tether) pull() {
	e.mu.Lock()
	f := e.f
	e.err, e.f = context.Canceled, nil
	close(e.over)
	e.mu.Unlock()
	if f != nil {
		f()
	}
}

func TestATetheredRequestIsCutAndItsConnectionWithIt(t *testing.T) {
	experiment(t, h1.Config{}, once(mute), func(l *lab) {
		ctx := newTether()
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://a/", nil)
		for range 1 {
			if o := outcomeOf(l.pool, r); o.Body != "ok" {
				t.Errorf("got %+v", o)
			}
		}
		if ctx.ties != 1 || ctx.loose != 1 {
			t.Errorf("tied %d times, untied %d times", ctx.ties, ctx.loose)
		}
		time.AfterFunc(time.Second, ctx.pull)
		if o := outcomeOf(l.pool, r); o.Failed != "error, context canceled" {
			t.Errorf("got %+v", o)
		}
		l.stand(1, 0)
		l.fetch("a")
		if o := outcomeOf(l.pool, r); o.Failed != "error, context canceled" {
			t.Errorf("got %+v", o)
		}
	})
}

// Two requests may share a tether: the second one is bound as to any context.
func TestATetherThatIsTakenStillEndsTheRequest(t *testing.T) {
	experiment(t, h1.Config{}, always(mute), func(l *lab) {
		ctx, cancel := context.WithCancel(l.Context())
		shared := newTether()
		shared.Context = ctx
		shared.f = func() {}
		r, _ := http.NewRequestWithContext(shared, http.MethodGet, "http://a/", nil)
		time.AfterFunc(time.Second, func() { shared.pull(); cancel() })
		if o := outcomeOf(l.pool, r); o.Failed != "error, context canceled" {
			t.Errorf("got %+v", o)
		}
		l.stand(1, 0)
	})
}

// The connection ends with the context, not with the caller's next look at it.
func TestTheConnectionOfAnAbandonedAnswerEndsWithItsContext(t *testing.T) {
	experiment(t, h1.Config{}, always(sized("", "half")[:40]+mute), func(l *lab) {
		ctx, cancel := context.WithCancelCause(l.Context())
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://a/", nil)
		resp, err := l.pool.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		l.stand(1, 1)
		cancel(errOwn)
		l.stand(1, 0)
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, errOwn) {
			t.Error(err)
		}
		_ = resp.Body.Close()
	})
}

func TestAContextThatEndsAfterTheAnswerDoesNoHarm(t *testing.T) {
	experiment(t, h1.Config{}, always(ok), func(l *lab) {
		ctx, cancel := context.WithCancel(l.Context())
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://a/", nil)
		if o := outcomeOf(l.pool, r); o.Body != "ok" {
			t.Errorf("got %+v", o)
		}
		cancel()
		synctest.Wait()
		l.fetch("a")
		l.stand(1, 1)
	})
}

func TestABodyMayBeClosedWhileItIsRead(t *testing.T) {
	experiment(t, h1.Config{}, always(sized("", "half")[:40]+mute), func(l *lab) {
		for range 20 {
			resp := l.hold("a", 1)[0]
			read := make(chan error)
			go func() { _, err := io.Copy(io.Discard, resp.Body); read <- err }()
			if rand.IntN(2) == 0 {
				synctest.Wait()
			}
			_ = resp.Body.Close()
			if err := <-read; err == nil {
				t.Error("the read succeeded")
			}
			_ = resp.Body.Close()
		}
		l.stand(20, 0)
	})
}

// Whoever leaves, and when: nobody is given another's answer, or another's end.
func TestCallersThatLeaveDisturbNobody(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range rand.IntN(4) {
			_, _ = io.WriteString(w, r.URL.Query().Get("id")+"\n")
			_ = http.NewResponseController(w).Flush()
		}
	}))
	defer s.Close()
	pool := h1.New(h1.Config{Dial: dialTCP, MaxIdle: 4})
	defer pool.CloseIdle()
	var callers sync.WaitGroup
	for i := range 16 {
		callers.Go(func() {
			for j := range 150 {
				leave(t, pool, s.URL, fmt.Sprint(i, "-", j), j%3)
			}
		})
	}
	callers.Wait()
}

// leave sends a request and ends its context at some moment: not at all, by
// itself, or through a tether.
func leave(t *testing.T, pool *h1.Pool, url, id string, how int) {
	ctx, cancel := context.WithCancel(context.Background())
	end := cancel
	if how == 2 {
		tied := newTether()
		ctx, end = tied, tied.pull
	}
	if how > 0 {
		timer := time.AfterFunc(rand.N(400*time.Microsecond), end)
		defer timer.Stop()
	}
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, url+"/?id="+id, nil)
	resp, err := pool.RoundTrip(r)
	var body []byte
	if err == nil {
		body, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	if err != nil && (how == 0 || !errors.Is(err, context.Canceled)) {
		t.Errorf("%d: %v", how, err)
	}
	if others := strings.ReplaceAll(string(body), id+"\n", ""); others != "" && err == nil {
		t.Errorf("%s was given %q", id, others)
	}
}
