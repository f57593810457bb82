package retry_test

import (
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/retry"
)

func budget(t *testing.T, c retry.BudgetConfig) *retry.Budget {
	t.Helper()
	b := new(retry.Budget)
	if err := b.Configure(c); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestABudgetIsTheLargerOfFloorAndPercentage(t *testing.T) {
	for _, test := range []struct {
		config   retry.BudgetConfig
		inFlight int
		want     int
	}{
		{retry.DefaultBudget(), 25, 5}, // Istio's own example
		{retry.DefaultBudget(), 2, 3},  // and its second
		{retry.DefaultBudget(), 0, 3},
		{retry.DefaultBudget(), 19, 3},
		{retry.DefaultBudget(), 20, 4},
		{retry.DefaultBudget(), 24, 4},
		{retry.DefaultBudget(), 1000, 200},
		{retry.BudgetConfig{}, 1000, 3},
		{retry.BudgetConfig{MinConcurrency: 7}, 1000, 7},
		{retry.BudgetConfig{Percent: 0.5}, 1000, 5},
		{retry.BudgetConfig{Percent: 100, MinConcurrency: 1}, 9, 9},
	} {
		b := budget(t, test.config)
		if got := b.Allowed(test.inFlight, now()); got != test.want {
			t.Errorf("%+v with %d in flight: %d, want %d", test.config, test.inFlight, got, test.want)
		}
		granted := 0
		for b.Acquire(test.inFlight, now()) {
			granted++
		}
		if granted != test.want || b.Retries() != test.want {
			t.Errorf("%+v with %d in flight: granted %d, %d under way, want %d", test.config, test.inFlight, granted, b.Retries(), test.want)
		}
		b.Release()
		if !b.Acquire(test.inFlight, now()) {
			t.Errorf("%+v: nothing after a release", test.config)
		}
	}
}

func TestWithoutABudgetEverythingIsAllowed(t *testing.T) {
	var none *retry.Budget
	for _, b := range []*retry.Budget{none, new(retry.Budget)} {
		for range 1000 {
			b.Observe(now())
			if !b.Acquire(0, now()) {
				t.Fatal("refused")
			}
		}
		if got := b.Allowed(0, now()); got != math.MaxInt {
			t.Errorf("allowed %d", got)
		}
		for range 1000 {
			b.Release()
		}
		if got := b.Retries(); got != 0 {
			t.Errorf("%d under way, want none", got)
		}
	}
}

func TestABudgetSetLaterCountsTheRetriesUnderWay(t *testing.T) {
	b := new(retry.Budget)
	for range 3 {
		b.Acquire(0, now())
	}
	if err := b.Configure(retry.DefaultBudget()); err != nil {
		t.Fatal(err)
	}
	if b.Acquire(0, now()) {
		t.Error("a fourth retry was allowed")
	}
	b.Release()
	if !b.Acquire(0, now()) {
		t.Error("the place that became free was not given")
	}
	b.Remove()
	if !b.Acquire(0, now()) {
		t.Error("refused although the budget is gone")
	}
}

func TestAnIntervalCountsTheRequestsOfTheWindow(t *testing.T) {
	b := budget(t, retry.BudgetConfig{Percent: 20, Interval: 10 * time.Second})
	start := time.Now()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	for i := range 100 { // ten requests a second, for ten seconds
		b.Observe(at(time.Duration(i) * 100 * time.Millisecond))
	}
	for _, test := range []struct {
		at        time.Duration
		low, high int
	}{
		{9900 * time.Millisecond, 18, 20},
		{15 * time.Second, 8, 10},
		{19 * time.Second, 3, 3},
		{time.Hour, 3, 3},
	} {
		if got := b.Allowed(1_000_000, at(test.at)); got < test.low || got > test.high {
			t.Errorf("at %v: %d, want %d to %d", test.at, got, test.low, test.high)
		}
	}
}

func TestTheWindowForgetsAfterItsLengthAndIgnoresTheFuture(t *testing.T) {
	b := budget(t, retry.BudgetConfig{Percent: 100, Interval: 10 * time.Second})
	start := time.Now()
	for range 50 {
		b.Observe(start.Add(500 * time.Millisecond))
	}
	b.Observe(start.Add(time.Hour + 3*time.Second))
	for at, want := range map[time.Duration]int{
		500 * time.Millisecond: 50, 9500 * time.Millisecond: 50,
		10500 * time.Millisecond: 3, time.Minute: 3,
	} {
		if got := b.Allowed(0, start.Add(at)); got != want {
			t.Errorf("at %v: %d, want %d", at, got, want)
		}
	}
}

func TestPerSecondLimitsThePace(t *testing.T) {
	b := budget(t, retry.BudgetConfig{Percent: 100, PerSecond: 2})
	for _, step := range []struct {
		at   time.Duration
		want bool
	}{
		{0, true}, {0, true}, {0, false},
		{400 * time.Millisecond, false},
		{500 * time.Millisecond, true}, {500 * time.Millisecond, false},
		{time.Hour, true}, {time.Hour, true}, {time.Hour, false},
	} {
		got := b.Acquire(1000, now().Add(step.at))
		if got != step.want {
			t.Errorf("at %v: %v, want %v", step.at, got, step.want)
		}
		if got {
			b.Release()
		}
	}
	if got := b.Retries(); got != 0 {
		t.Errorf("%d under way, want none: a refusal by pace must not stay counted", got)
	}
}

func TestABadBudgetIsRefusedAndChangesNothing(t *testing.T) {
	b := budget(t, retry.BudgetConfig{MinConcurrency: 1})
	for _, test := range []struct {
		config retry.BudgetConfig
		names  string
	}{
		{retry.BudgetConfig{Percent: -1}, "percent -1"},
		{retry.BudgetConfig{Percent: 100.5}, "percent 100.5: want 0 to 100"},
		{retry.BudgetConfig{Percent: math.NaN()}, "percent NaN"},
		{retry.BudgetConfig{MinConcurrency: -2}, "concurrency -2"},
		{retry.BudgetConfig{Interval: -time.Second}, "interval -1s"},
		{retry.BudgetConfig{PerSecond: math.Inf(1)}, "+Inf per second"},
		{retry.BudgetConfig{PerSecond: math.NaN()}, "NaN per second"},
		{retry.BudgetConfig{PerSecond: -1}, "-1 per second"},
	} {
		if err := b.Configure(test.config); err == nil || !strings.Contains(err.Error(), test.names) {
			t.Errorf("%+v: %v, want it to name %q", test.config, err, test.names)
		}
	}
	if got := b.Allowed(1000, now()); got != 1 {
		t.Errorf("allowed %d afterwards, want 1 as before", got)
	}
}

func TestConcurrentRetriesNeverExceedTheBudget(t *testing.T) {
	b := budget(t, retry.BudgetConfig{MinConcurrency: 5, Interval: time.Second})
	var inside atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2000 {
				spend(t, b, &inside)
			}
		})
	}
	all.Wait()
	if got := b.Retries(); got != 0 {
		t.Errorf("%d under way afterwards", got)
	}
}

func spend(t *testing.T, b *retry.Budget, inside *atomic.Int32) {
	if !b.Acquire(0, now()) {
		return
	}
	if n := inside.Add(1); n > 5 {
		t.Errorf("%d concurrent retries, want at most 5", n)
	}
	inside.Add(-1)
	b.Release()
}

func TestConcurrentRequestsAreAllSeen(t *testing.T) {
	b := budget(t, retry.BudgetConfig{Percent: 100, Interval: time.Hour})
	at := time.Now()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				b.Observe(at)
			}
		})
	}
	all.Wait()
	if got := b.Allowed(0, at); got != 8000 {
		t.Errorf("allowed %d, want 8000", got)
	}
}

func TestReleasingMoreThanAcquiredPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	new(retry.Budget).Release()
}

func TestABudgetDoesNotAllocate(t *testing.T) {
	b := budget(t, retry.BudgetConfig{Percent: 20, Interval: time.Second, PerSecond: 1e6})
	at := time.Now()
	if n := testing.AllocsPerRun(100, func() {
		b.Observe(at)
		if b.Acquire(100, at) {
			b.Release()
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func TestAnEditKeepsWhatAnUnchangedBudgetHasSeen(t *testing.T) {
	c := retry.BudgetConfig{Percent: 50, MinConcurrency: 1, Interval: 10 * time.Second, PerSecond: 2}
	b := budget(t, c)
	start := time.Now()
	for range 40 {
		b.Observe(start)
	}
	for b.Acquire(0, start) {
	}
	c.Percent = 25
	if err := b.Configure(c); err != nil {
		t.Fatal(err)
	}
	if got := b.Allowed(0, start); got != 10 {
		t.Errorf("%d retries are allowed for 40 requests, want a quarter of them", got)
	}
	if b.Acquire(0, start) {
		t.Error("the edit has granted what the second had granted before")
	}
	c.Interval, c.PerSecond = 0, 0
	if err := b.Configure(c); err != nil {
		t.Fatal(err)
	}
	if got := b.Allowed(16, start); got != 4 {
		t.Errorf("%d retries are allowed with 16 requests under way, want a quarter of them", got)
	}
	if !b.Acquire(16, start) {
		t.Error("refused although there is no pace any more")
	}
}
