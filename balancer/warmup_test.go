package balancer_test

import (
	"math"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/balancer"
	"github.com/inmesh-go/inmesh/discovery"
)

// lastShare is what the last host gets of its even share.
func lastShare(b *balancer.Balancer[int], now time.Time) float64 {
	const n = 40_000
	hosts := b.Hosts()
	counts := count(b, n, pick{Now: now})
	last := float64(counts[hosts[len(hosts)-1].Address()])
	return last / (n - last) * float64(len(hosts)-1)
}

func TestANewHostWarmsUp(t *testing.T) {
	for _, c := range []struct {
		name   string
		warmup balancer.Warmup
		after  time.Duration
		want   float64
	}{
		{"at once", balancer.Warmup{Duration: time.Minute}, 0, 0.1},
		{"below the minimum", balancer.Warmup{Duration: time.Minute}, 3 * time.Second, 0.1},
		{"halfway", balancer.Warmup{Duration: time.Minute}, 30 * time.Second, 0.5},
		{"warm", balancer.Warmup{Duration: time.Minute}, time.Minute, 1},
		{"long warm", balancer.Warmup{Duration: time.Minute}, time.Hour, 1},
		{"off", balancer.Warmup{}, 0, 1},
		{"another minimum", balancer.Warmup{Duration: time.Minute, MinimumPercent: 40}, 6 * time.Second, 0.4},
		{"eager", balancer.Warmup{Duration: time.Minute, Aggression: 2}, 15 * time.Second, 0.5},
		{"shy", balancer.Warmup{Duration: time.Minute, Aggression: 0.5}, 30 * time.Second, 0.25},
	} {
		for _, policy := range []balancer.Policy{balancer.LeastRequest, balancer.RoundRobin} {
			for _, weights := range [][]uint32{nil, {4, 4, 4, 4}} {
				b := balance(balancer.Config{Policy: policy, Warmup: c.warmup}, endpoints(3, weights...))
				joined := start.Add(time.Hour)
				b.Update(endpoints(4, weights...), joined)
				if got := lastShare(b, joined.Add(c.after)); math.Abs(got-c.want) > 0.1*c.want+0.02 {
					t.Errorf("%s, %v: the new host gets %.3f of an even share, want %.3f", c.name, policy, got, c.want)
				}
			}
		}
	}
}

func TestHostsThatStartTogetherHaveNoFavourites(t *testing.T) {
	b := balance(balancer.Config{Warmup: balancer.Warmup{Duration: time.Minute}}, endpoints(4))
	if got := lastShare(b, start.Add(time.Second)); math.Abs(got-1) > 0.1 {
		t.Errorf("the last of four equally new hosts gets %.3f of an even share", got)
	}
}

// Envoy starts a host anew when its health check passes again, not when its ejection ends.
func TestWhoWarmsUpAgain(t *testing.T) {
	warmup := balancer.Config{Policy: balancer.RoundRobin, Warmup: balancer.Warmup{Duration: time.Minute}}
	later := start.Add(time.Hour)
	for _, c := range []struct {
		name string
		off  func(*balancer.Balancer[int])
		on   func(*balancer.Balancer[int])
		want float64
	}{
		{"an ejected host does not",
			func(b *balancer.Balancer[int]) { b.Hosts()[3].SetAvailable(false); b.Refresh(later) },
			func(b *balancer.Balancer[int]) { b.Hosts()[3].SetAvailable(true); b.Refresh(later) }, 1},
		{"a host that was unhealthy does",
			func(b *balancer.Balancer[int]) {
				eps := endpoints(4)
				eps[3].Health = discovery.Unhealthy
				b.Update(eps, later)
			},
			func(b *balancer.Balancer[int]) { b.Update(endpoints(4), later) }, 0.1},
		{"a host that left and came back does",
			func(b *balancer.Balancer[int]) { b.Update(endpoints(3), later) },
			func(b *balancer.Balancer[int]) { b.Update(endpoints(4), later) }, 0.1},
		{"a host with another label does not",
			func(b *balancer.Balancer[int]) {
				eps := endpoints(4)
				eps[3].Labels = map[string]string{"version": "v2"}
				b.Update(eps, later)
			}, func(*balancer.Balancer[int]) {}, 1},
	} {
		b := balance(warmup, endpoints(4))
		c.off(b)
		c.on(b)
		if got := lastShare(b, later); math.Abs(got-c.want) > 0.1*c.want+0.02 {
			t.Errorf("%s: it gets %.3f of an even share, want %.3f", c.name, got, c.want)
		}
	}
}

// Of two hosts both are always compared, and the warming one has less in flight: what it carries
// has to count for more.
func TestWarmingHostsAreNotFloodedForBeingIdle(t *testing.T) {
	b := balance(balancer.Config{Warmup: balancer.Warmup{Duration: time.Minute}}, endpoints(1))
	later := start.Add(time.Hour)
	b.Update(endpoints(2), later)
	for range 1100 {
		b.Pick(pick{Now: later}).Begin()
	}
	if got := b.Hosts()[1].Active(); got < 80 || got > 120 {
		t.Errorf("a host at a tenth of its weight has %d of 1100 in flight, want about 100", got)
	}
}

func TestWithoutATimeHostsCountAsWarm(t *testing.T) {
	b := balance(balancer.Config{Warmup: balancer.Warmup{Duration: time.Minute}}, endpoints(3))
	b.Update(endpoints(4), start.Add(time.Hour))
	if got := lastShare(b, time.Time{}); math.Abs(got-1) > 0.1 {
		t.Errorf("the new host gets %.3f of an even share", got)
	}
}
