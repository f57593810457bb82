package deadline

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

type limitKey struct{}

// ended waits for ctx and returns what it says of its end.
func ended(t *testing.T, ctx context.Context) (err, cause error) {
	t.Helper()
	select {
	case <-ctx.Done():
	case <-time.After(time.Minute):
		t.Fatal("the context has not ended")
	}
	return ctx.Err(), context.Cause(ctx)
}

// begun is a limit with a room of its own.
func begun(parent context.Context, deadline time.Time) *Limit {
	l := new(Limit)
	l.Begin(new(Alarms), parent, deadline)
	return l
}

func TestALimitEndsAtItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := time.Now().Add(time.Second)
		l := begun(context.Background(), at)
		defer l.Stop()
		if got, ok := l.Deadline(); !ok || !got.Equal(at) {
			t.Errorf("Deadline() = %v, %v; want %v", got, ok, at)
		}
		if first, second := l.Done(), l.Done(); first != second {
			t.Error("Done returns another channel each time")
		}
		if l.Err() != nil || l.Expired() {
			t.Error("ended before its time")
		}
		err, cause := ended(t, l)
		if !time.Now().Equal(at) {
			t.Errorf("ended at %v, want %v", time.Now(), at)
		}
		if err != context.DeadlineExceeded || cause != context.DeadlineExceeded || !l.Expired() {
			t.Errorf("Err() = %v, Cause() = %v, expired() = %v", err, cause, l.Expired())
		}
	})
}

func TestALimitWhoseTimeHasPassedEndsAtOnce(t *testing.T) {
	for range 200 {
		ctx, cancel := context.WithCancel(context.Background())
		l := begun(ctx, time.Now().Add(-time.Second))
		if err, _ := ended(t, l); err != context.DeadlineExceeded {
			t.Fatalf("Err() = %v", err)
		}
		l.Stop()
		cancel()
	}
}

func TestALimitOnAContextThatIsOverEndsAtOnce(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("why")
	cancel(why)
	for range 200 {
		l := begun(ctx, time.Now().Add(time.Hour))
		if err, cause := ended(t, l); err != context.Canceled || cause != why {
			t.Fatalf("Err() = %v, Cause() = %v", err, cause)
		}
		if l.Expired() {
			t.Fatal("its time was not up")
		}
		l.Stop()
	}
}

func TestALimitEndsWithItsParentAndItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("why")
		parent, cancel := context.WithCancelCause(context.WithValue(context.Background(), limitKey{}, "value"))
		l := begun(parent, time.Now().Add(time.Hour))
		defer l.Stop()
		if l.Value(limitKey{}) != "value" {
			t.Error("the parent's value is lost")
		}
		child, stop := context.WithCancel(l)
		defer stop()
		cancel(why)
		synctest.Wait()
		for name, ctx := range map[string]context.Context{"limit": l, "child": child} {
			if err, cause := ended(t, ctx); err != context.Canceled || cause != why {
				t.Errorf("%s: Err() = %v, Cause() = %v", name, err, cause)
			}
		}
		if l.Expired() {
			t.Error("its time was not up")
		}
	})
}

// What ends a limit reaches every kind of child, with the same error.
func TestALimitEndsItsChildren(t *testing.T) {
	for _, want := range []error{context.DeadlineExceeded, context.Canceled} {
		t.Run(want.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := begun(context.Background(), time.Now().Add(time.Second))
				children := childrenOf(t, l)
				var called atomic.Int32
				context.AfterFunc(l, func() { called.Add(1) })
				if want == context.DeadlineExceeded {
					time.Sleep(2 * time.Second)
				}
				l.Stop()
				synctest.Wait()
				for kind, ctx := range children {
					if ctx.Err() != want || context.Cause(ctx) != want {
						t.Errorf("%s: Err() = %v, Cause() = %v", kind, ctx.Err(), context.Cause(ctx))
					}
				}
				if called.Load() != 1 {
					t.Errorf("AfterFunc was called %d times", called.Load())
				}
			})
		})
	}
}

func childrenOf(t *testing.T, parent context.Context) map[string]context.Context {
	t.Helper()
	cancelled, c1 := context.WithCancel(parent)
	caused, c2 := context.WithCancelCause(parent)
	timed, c3 := context.WithTimeout(parent, time.Hour)
	grand, c4 := context.WithCancel(context.WithValue(cancelled, limitKey{}, 1))
	t.Cleanup(func() { c1(); c2(nil); c3(); c4() })
	return map[string]context.Context{"cancel": cancelled, "cause": caused, "timeout": timed, "grandchild": grand}
}

func TestChildrenThatEndFirstAreForgotten(t *testing.T) {
	l := begun(context.Background(), time.Now().Add(time.Hour))
	defer l.Stop()
	for range 100 {
		_, cancel := context.WithCancel(l)
		stop := context.AfterFunc(l, func() { t.Error("called") })
		cancel()
		if !stop() {
			t.Error("stop reports that the function was called")
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hooks != nil {
		t.Error("a hook is left")
	}
}

func TestAfterFuncOfAnEndedLimitRunsOnItsOwnGoroutine(t *testing.T) {
	l := begun(context.Background(), time.Now().Add(time.Hour))
	l.Stop()
	var mu sync.Mutex
	ran := make(chan struct{})
	mu.Lock()
	stop := l.AfterFunc(func() { mu.Lock(); defer mu.Unlock(); close(ran) })
	mu.Unlock()
	<-ran
	if stop() {
		t.Error("stop prevented what had run")
	}
}

func TestAnExtendedLimitLivesToItsNewTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		l := begun(context.Background(), began.Add(time.Second))
		defer l.Stop()
		if !l.Extend(began.Add(time.Minute)) {
			t.Fatal("extend: already over")
		}
		if err, _ := ended2(l, 30*time.Second); err != nil {
			t.Fatalf("ended by its old time: %v", err)
		}
		<-l.Done()
		if got := time.Since(began); got != time.Minute || !l.Expired() {
			t.Errorf("ended after %v, expired() = %v", got, l.Expired())
		}
		if l.Extend(began.Add(time.Hour)) {
			t.Error("what is over was extended")
		}
	})
}

// ended2 is what ctx says of its end within d; nil if it has none.
func ended2(ctx context.Context, d time.Duration) (err, cause error) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	return ctx.Err(), context.Cause(ctx)
}

func TestALimitExtendedToNoTimeEndsWithTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		parent, cancel := context.WithCancel(context.Background())
		l := begun(parent, time.Now().Add(time.Second))
		defer l.Stop()
		l.Extend(time.Time{})
		if err, _ := ended2(l, time.Hour); err != nil {
			t.Fatalf("ended: %v", err)
		}
		cancel()
		if err, _ := ended(t, l); err != context.Canceled {
			t.Errorf("Err() = %v", err)
		}
	})
}

// A timer that fires while the limit is extended has no say any more: extend
// either fails, or the limit lives.
func TestExtendAndTheTimerAgree(t *testing.T) {
	for range 2000 {
		l := begun(context.Background(), time.Now().Add(rand.N(20*time.Microsecond)))
		for range rand.IntN(40) {
			l.Err()
		}
		extended := l.Extend(time.Now().Add(time.Hour))
		if extended {
			late(l)
		}
		if err := l.Err(); extended != (err == nil) {
			t.Fatalf("extend said %v, and Err() is %v", extended, err)
		}
		l.Stop()
	}
}

// A dialler goes by the deadline itself, and fails before a late alarm has rung.
func TestALimitHasExpiredAtItsTimeAlthoughItsAlarmIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := begun(context.Background(), time.Now()) // the bubble's timers wait until all do
		defer l.Stop()
		if l.Err() != nil || !l.Expired() {
			t.Errorf("Err() = %v, Expired() = %v", l.Err(), l.Expired())
		}
		if !l.Extend(time.Now().Add(time.Hour)) || l.Expired() {
			t.Error("it has been moved on")
		}
	})
}

// late lets a timer that has fired run.
func late(l *Limit) { l.expire() }

func TestANilLimitIsNone(t *testing.T) {
	var l *Limit
	l.Stop()
	if !l.Extend(time.Now()) || l.Expired() {
		t.Error("a nil limit ended")
	}
}

// Everything at once, for the race detector: Err says why as soon as Done is
// closed, all agree on it, and what listens is told once.
func TestALimitStandsConcurrentUse(t *testing.T) {
	for range 300 {
		parent, cancel := context.WithCancel(context.Background())
		l := begun(parent, time.Now().Add(rand.N(200*time.Microsecond)))
		var told, prevented atomic.Int32
		var users sync.WaitGroup
		for range 4 {
			users.Go(func() { <-l.Done(); mustHaveErr(t, l) })
			users.Go(func() {
				child, stop := context.WithCancel(l)
				defer stop()
				<-child.Done()
				mustHaveErr(t, child)
			})
			users.Go(func() {
				if stop := l.AfterFunc(func() { told.Add(1) }); rand.IntN(2) == 0 && stop() {
					prevented.Add(1)
				}
			})
		}
		users.Go(func() { l.Extend(time.Now().Add(rand.N(200 * time.Microsecond))) })
		users.Go(func() { time.AfterFunc(rand.N(300*time.Microsecond), cancel) })
		users.Go(func() { time.AfterFunc(rand.N(300*time.Microsecond), l.Stop) })
		users.Wait()
		first := l.Err()
		l.Stop()
		cancel()
		if got := l.Err(); got != first {
			t.Fatalf("Err() was %v and is %v", first, got)
		}
		awaitCount(t, &told, 4-prevented.Load())
	}
}

func mustHaveErr(t *testing.T, ctx context.Context) {
	if ctx.Err() == nil || context.Cause(ctx) == nil {
		t.Error("Done is closed, and Err is nil")
	}
}

func awaitCount(t *testing.T, n *atomic.Int32, want int32) {
	t.Helper()
	deadline := time.After(time.Minute)
	for n.Load() != want {
		select {
		case <-deadline:
			t.Fatalf("%d of %d were told", n.Load(), want)
		case <-time.After(time.Millisecond):
		}
	}
}

// A caller whose context is never cancelled costs no listener, and no limit a
// timer of its own.
func TestALimitCostsOneAllocation(t *testing.T) {
	at, shared := time.Now().Add(time.Hour), new(Alarms)
	if got := testing.AllocsPerRun(100, func() {
		l := new(Limit)
		l.Begin(shared, context.Background(), at)
		l.Extend(at)
		l.Stop()
	}); got != 1 {
		t.Errorf("%v allocations", got)
	}
}

// Whatever is set, moved and cleared: each alarm that stands rings at its time.
func TestAlarmsRingInTheirOrderAndAtTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared, began := new(Alarms), time.Now()
		limits := make([]*Limit, 200)
		want := map[int]time.Duration{}
		for i := range limits {
			limits[i] = new(Limit)
			d := time.Duration(1+rand.IntN(50)) * time.Second
			limits[i].Begin(shared, context.Background(), began.Add(d))
			switch rand.IntN(4) {
			case 0:
				limits[i].Stop()
				continue
			case 1:
				d = time.Duration(1+rand.IntN(90)) * time.Second
				limits[i].Extend(began.Add(d))
			}
			want[i] = d
		}
		for i, d := range want {
			<-limits[i].Done()
			if passed := time.Since(began); passed < d {
				t.Errorf("limit %d ended after %v, want %v", i, passed, d)
			}
		}
		for i, l := range limits {
			if d, ok := want[i]; ok != (l.Err() == context.DeadlineExceeded) {
				t.Errorf("limit %d of %v: %v", i, d, l.Err())
			}
		}
		if longest := slices.Max(slices.Collect(maps.Values(want))); time.Since(began) != longest {
			t.Errorf("all rang after %v, want %v", time.Since(began), longest)
		}
	})
}
