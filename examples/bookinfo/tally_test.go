package main

import (
	"testing"
	"time"
)

func TestPercentileIsTheSmallestValueThatEnoughDoNotExceed(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		sorted []time.Duration
		p      int
		want   time.Duration
	}{
		{nil, 50, 0},
		{hundred[:1], 50, 1},
		{hundred[:1], 99, 1},
		{hundred[:2], 50, 1},
		{hundred[:2], 99, 2},
		{hundred[:3], 50, 2},
		{hundred, 50, 50},
		{hundred, 99, 99},
	} {
		if got := percentile(c.sorted, c.p); got != c.want {
			t.Errorf("p%d of %v: %d, want %d", c.p, c.sorted, got, c.want)
		}
	}
}

// Shares and percentiles look at the window, counts at all.
func TestOldSamplesLeaveSharesAndPercentilesOnly(t *testing.T) {
	start := time.Unix(0, 0)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	v1, v2 := peer{"reviews", "v1"}, peer{"reviews", "v2"}
	c := newTally(10 * time.Second)
	c.request(v1, 9*time.Millisecond, true, at(0))
	c.request(v1, 9*time.Millisecond, false, at(1))
	c.request(v1, 2*time.Millisecond, false, at(8))
	c.request(v2, 1*time.Millisecond, false, at(8))

	for _, step := range []struct {
		second int
		share  float64
		p99    time.Duration
	}{
		{8, 75, 9 * time.Millisecond},
		{10, 75, 9 * time.Millisecond}, // the edge of the window is within it
		{11, 200.0 / 3, 9 * time.Millisecond},
		{12, 50, 2 * time.Millisecond},
		{19, 0, 0},
	} {
		p := c.at(at(step.second))
		f := p.of(v1)
		if p.share(f) != step.share || f.p99 != step.p99 || f.requests != 3 || f.errors != 1 {
			t.Errorf("after %d s: share %v, %+v; want share %v, p99 %v", step.second, p.share(f), f, step.share, step.p99)
		}
	}
}

func TestARestartForgetsSamplesWithinAWindowOnly(t *testing.T) {
	now := time.Unix(0, 0)
	for window, want := range map[time.Duration]int{0: 1, time.Minute: 0} {
		c := newTally(window)
		c.page("v1", time.Millisecond, now)
		c.request(peer{"reviews", "v1"}, time.Millisecond, false, now)
		c.restart()
		p := c.at(now)
		if p.pages.recent != want || p.of(peer{"reviews", "v1"}).recent != want || p.pages.requests != 1 {
			t.Errorf("window %v: %+v, want %d samples of one page", window, p, want)
		}
	}
}

func TestPagesSumUpWhatTheMeshesDid(t *testing.T) {
	now := time.Unix(0, 0)
	c := newTally(0)
	c.page("v1", time.Millisecond, now)
	c.page("", 3*time.Millisecond, now)
	c.retry(peer{"details", "v1"})
	c.retry(peer{"ratings", "v1"})
	c.ejected(peer{"reviews", "v2"}, "a:1")
	c.ejected(peer{"reviews", "v2"}, "a:1")
	c.ejected(peer{"reviews", "v2"}, "a:2")
	c.readmitted(peer{"reviews", "v2"}, "a:1")

	p := c.at(now)
	want := report{Requests: 2, Failed: 1, ByVersion: map[string]int{"v1": 1}, Retries: 2, Ejections: 3, P50: 1, P99: 3}
	if got := p.report(); got.Requests != want.Requests || got.Failed != want.Failed || got.ByVersion["v1"] != 1 ||
		got.Retries != want.Retries || got.Ejections != want.Ejections || got.P50 != want.P50 || got.P99 != want.P99 {
		t.Errorf("%+v, want %+v", got, want)
	}
	if p.pages.out != 1 {
		t.Errorf("%d servers are out, want 1", p.pages.out)
	}
}
