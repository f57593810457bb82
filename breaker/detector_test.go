package breaker_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
)

const (
	ejected30   = "ejected until 30s, ×1, consecutive5xxErrors"
	notEnforced = "not enforced, consecutive5xxErrors"
)

func TestNeverMoreThanTheMaximumPercentIsOut(t *testing.T) {
	for _, test := range []struct {
		hosts, percent int
		alwaysOne      bool
		want           int
	}{
		{1, 10, true, 1}, {1, 10, false, 0}, {1, 100, false, 1},
		{9, 10, true, 1}, {9, 10, false, 0}, {10, 10, false, 1}, {19, 10, true, 1}, {20, 10, false, 2},
		{3, 50, false, 1}, {4, 50, false, 2}, {5, 100, false, 5}, {3, 0, true, 1}, {30, 0, false, 3},
	} {
		o := breaker.DefaultOutlier()
		o.Consecutive5xx, o.MaxEjectionPercent, o.AlwaysEjectOne = 1, test.percent, test.alwaysOne
		d := breaker.NewDetector(o)
		hosts := fleet(d, test.hosts)
		for i, h := range hosts {
			want := notEnforced
			if i < test.want {
				want = ejected30
			}
			h.run(t, []step{{0, "500", want}})
		}
		if all, out := d.Hosts(); all != test.hosts || out != test.want {
			t.Errorf("%+v: %d of %d out", test, out, all)
		}
	}
}

func TestAThresholdThatIsNotEnforcedTakesAsManyFailuresAgain(t *testing.T) {
	o := breaker.DefaultOutlier()
	o.Consecutive5xx, o.AlwaysEjectOne = 2, false
	d := breaker.NewDetector(o)
	h := newHost(d)
	h.run(t, []step{{0, "500", ""}, {0, "500", notEnforced}, {0, "500", ""}, {0, "ok", ""}})
	fleet(d, 9)
	h.run(t, []step{{0, "500", ""}, {0, "500", ejected30}})
}

func TestAHalfOpenHostStillCountsAsOut(t *testing.T) {
	d := once()
	hosts := fleet(d, 2)
	hosts[0].run(t, []step{{0, "500", ejected30}, {30 * s, "tick", "half-opened"}})
	hosts[1].run(t, []step{{30 * s, "500", notEnforced}})
	hosts[0].run(t, []step{{30 * s, "ok", "readmitted"}})
	hosts[1].run(t, []step{{30 * s, "500", "ejected until 1m0s, ×1, consecutive5xxErrors"}})
}

func TestAFailedProbeReturnsToRotationWhenThereIsNoRoom(t *testing.T) {
	o := breaker.DefaultOutlier()
	o.Consecutive5xx, o.MaxEjectionPercent = 1, 100
	d := breaker.NewDetector(o)
	hosts := fleet(d, 2)
	hosts[0].run(t, []step{{0, "500", ejected30}})
	hosts[1].run(t, []step{{0, "500", ejected30}})
	o.MaxEjectionPercent = 50
	d.Configure(o)
	hosts[0].run(t, []step{{30 * s, "500", "not enforced, failed probe"}, {30 * s, "ok", ""}})
	hosts[1].run(t, []step{{30 * s, "500", "ejected until 1m30s, ×2, failed probe"}})
}

func TestAForgottenHostCountsNoMore(t *testing.T) {
	d := once()
	hosts := fleet(d, 2)
	hosts[0].run(t, []step{{0, "500", ejected30}})
	hosts[1].run(t, []step{{0, "500", notEnforced}})
	d.Forget(hosts[0].circuit)
	d.Forget(hosts[0].circuit)
	hosts[1].run(t, []step{{0, "500", ejected30}})
	hosts[0].run(t, []step{{30 * s, "500", ""}, {30 * s, "500", ""}})
	if all, out := d.Hosts(); all != 1 || out != 1 {
		t.Errorf("%d of %d out, want 1 of 1", out, all)
	}
}

func TestSwitchingDetectionOffReadmitsEverybody(t *testing.T) {
	d := once()
	h := newHost(d)
	h.run(t, []step{{0, "500", ejected30}, {30 * s, "send probe", ""}})
	d.Configure(breaker.Outlier{})
	h.run(t, []step{{30 * s, "500", ""}, {30 * s, "probe 500", ""}, {30 * s, "500", ""}, {30 * s, "tick", ""}})
	d.Configure(config(func(o *breaker.Outlier) { o.Consecutive5xx = 1 }))
	h.run(t, []step{{0, "500", ejected30}})
}

func TestFailuresFromBeforeDetectionWasOnDoNotCount(t *testing.T) {
	off := config(func(o *breaker.Outlier) { o.Consecutive5xx, o.Enabled = 2, false })
	d := breaker.NewDetector(off)
	h := newHost(d)
	h.run(t, []step{{0, "500", ""}, {0, "500", ""}, {0, "500", ""}})
	on := off
	on.Enabled = true
	d.Configure(on)
	h.run(t, []step{{0, "500", ""}, {0, "500", ejected30}})
}

func TestANewThresholdActsOnTheNextFailure(t *testing.T) {
	d := breaker.NewDetector(breaker.DefaultOutlier())
	h := newHost(d)
	h.run(t, []step{{0, "500", ""}, {0, "500", ""}, {0, "500", ""}})
	d.Configure(config(func(o *breaker.Outlier) { o.Consecutive5xx = 2 }))
	h.run(t, []step{{0, "500", ejected30}})
}

func TestConcurrentFailuresEjectOnce(t *testing.T) {
	d := breaker.NewDetector(breaker.DefaultOutlier())
	for range 200 {
		c := d.NewCircuit()
		var ejections, others atomic.Int32
		inParallel(16, func() {
			permit, err := c.Allow(time.Now())
			if err != nil {
				return
			}
			switch c.Report(permit, breaker.ServerError, time.Now()).Kind {
			case breaker.Ejected:
				ejections.Add(1)
			case breaker.Nothing:
			default:
				others.Add(1)
			}
		})
		if ejections.Load() != 1 || others.Load() != 0 || c.State() != breaker.Open {
			t.Fatalf("%d ejections, %d other events, state %v", ejections.Load(), others.Load(), c.State())
		}
		d.Forget(c)
	}
}

func TestConcurrentCallersSendOneProbe(t *testing.T) {
	d := once()
	for range 200 {
		h := newHost(d)
		h.run(t, []step{{0, "500", ejected30}})
		var probes atomic.Int32
		inParallel(16, func() {
			if _, err := h.circuit.Allow(h.start.Add(30 * s)); err == nil {
				probes.Add(1)
			} else if !errors.Is(err, breaker.ErrProbing) {
				t.Error(err)
			}
		})
		if probes.Load() != 1 {
			t.Fatalf("%d probes, want 1", probes.Load())
		}
		d.Forget(h.circuit)
	}
}

func TestThePercentageHoldsWhenManyHostsFailAtOnce(t *testing.T) {
	o := breaker.DefaultOutlier()
	o.Consecutive5xx, o.MaxEjectionPercent, o.AlwaysEjectOne = 2, 30, false
	d := breaker.NewDetector(o)
	hosts := fleet(d, 40)
	const most = 40 * 30 / 100
	start := time.Now()
	var clock atomic.Int64
	inParallel(8, func() {
		for range 2000 {
			now := start.Add(time.Duration(clock.Add(int64(50 * time.Millisecond))))
			c := hosts[rand.N(len(hosts))].circuit
			if permit, err := c.Allow(now); err == nil {
				c.Report(permit, []breaker.Outcome{breaker.Success, breaker.ServerError, breaker.ServerError}[rand.N(3)], now)
			}
			if _, out := d.Hosts(); out > most {
				t.Errorf("%d out, want at most %d", out, most)
			}
		}
	})
	if _, out := d.Hosts(); out == 0 {
		t.Error("nobody was ever ejected: the test proves nothing")
	}
}

// The whole circle with real (paused) time, as an owner's timer drives it:
// gobreaker reads the same clock.
func TestAnOwnersTimerAtUntilHalfOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := once().NewCircuit()
		permit, _ := c.Allow(time.Now())
		event := c.Report(permit, breaker.ServerError, time.Now())
		<-time.After(time.Until(event.Until))
		if got := c.Tick(time.Now()).Kind; got != breaker.HalfOpened {
			t.Fatalf("at Until: %v, want half-opened", got)
		}
		probe, err := c.Allow(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Report(probe, breaker.Success, time.Now()).Kind; got != breaker.Readmitted {
			t.Errorf("after the probe: %v, want readmitted", got)
		}
	})
}

func fleet(d *breaker.Detector, n int) []*host {
	hosts := make([]*host, n)
	for i := range hosts {
		hosts[i] = newHost(d)
	}
	return hosts
}

func config(change func(*breaker.Outlier)) breaker.Outlier {
	o := breaker.DefaultOutlier()
	change(&o)
	return o
}

func inParallel(n int, f func()) {
	var all sync.WaitGroup
	for range n {
		all.Go(f)
	}
	all.Wait()
}
