package balancer_test

import (
	"slices"
	"testing"

	"github.com/inmesh-go/inmesh/balancer"
	"github.com/inmesh-go/inmesh/discovery"
)

func TestAnUnavailableHostIsPickedByNobodyAtOnce(t *testing.T) {
	for _, policy := range policies {
		b := balance(balancer.Config{Policy: policy}, endpoints(100))
		for i, h := range b.Hosts() {
			h.SetAvailable(i >= 97)
		}
		for _, refreshed := range []bool{false, true} {
			if refreshed {
				b.Refresh(start)
			}
			for range 2000 {
				if h := b.Pick(pick{}); h == nil || !h.Available() {
					t.Fatalf("%v, refreshed %v: picked %v while three hosts are available", policy, refreshed, h)
				}
			}
		}
	}
}

// The chosen priority loses its last host before anybody refreshes.
func TestAnotherPriorityServesBeforeTheRefresh(t *testing.T) {
	for _, policy := range policies {
		b := balance(balancer.Config{Policy: policy, Locality: failover("us")}, slices.Concat(at("us", 3, 0), at("eu", 3, 3)))
		for _, h := range b.Hosts()[:3] {
			h.SetAvailable(false)
		}
		if h := b.Pick(pick{}); h == nil || h.Priority() != 1 {
			t.Errorf("%v: picked %v, want a host of the second priority", policy, h)
		}
	}
}

func TestAHostThatIsAvailableAgainIsPickedAfterRefresh(t *testing.T) {
	for _, policy := range policies {
		b := balance(balancer.Config{Policy: policy}, endpoints(3))
		back := b.Hosts()[1]
		back.SetAvailable(false)
		b.Refresh(start)
		back.SetAvailable(true)
		b.Refresh(start)
		if got := count(b, 300, pick{}); got[back.Address()] == 0 {
			t.Errorf("%v: the host that came back got none of 300", policy)
		}
	}
}

func TestUnhealthyAndDrainingHostsArePassedOver(t *testing.T) {
	for _, policy := range policies {
		eps := endpoints(4)
		eps[0].Health, eps[1].Health = discovery.Unhealthy, discovery.Draining
		counts := count(balance(balancer.Config{Policy: policy}, eps), 1000, pick{})
		if counts[eps[0].Address] != 0 || counts[eps[1].Address] != 0 || len(counts) != 2 {
			t.Errorf("%v: picks are %v", policy, counts)
		}
	}
}

func TestPanicIgnoresHealth(t *testing.T) {
	for _, c := range []struct {
		threshold, healthy int // of 10 hosts
		panics             bool
	}{
		{0, 0, false}, {0, 1, false}, // 0 is never
		{50, 4, true}, {50, 5, false}, {1, 0, true}, {10, 1, false},
		{100, 7, true}, {100, 8, false}, // 80 % healthy can take all traffic: no reason to panic
	} {
		for _, policy := range policies {
			b := balance(balancer.Config{Policy: policy, PanicThreshold: c.threshold}, endpoints(10))
			for _, h := range b.Hosts()[c.healthy:] {
				h.SetAvailable(false)
			}
			b.Refresh(start)
			want := c.healthy
			if c.panics {
				want = 10
			}
			if got := len(count(b, 1000, pick{})); got != want {
				t.Errorf("%v, threshold %d, %d of 10 healthy: %d hosts are picked, want %d", policy, c.threshold, c.healthy, got, want)
			}
			if got := b.Snapshot(start).Priorities[0].Panic; got != c.panics {
				t.Errorf("%v, threshold %d, %d of 10 healthy: panic is %v", policy, c.threshold, c.healthy, got)
			}
			if got := b.Panicking(b.Hosts()[9]); got != c.panics {
				t.Errorf("%v, threshold %d, %d of 10 healthy: host 9 panics: %v", policy, c.threshold, c.healthy, got)
			}
		}
	}
}

func TestPanicSparesDrainingHostsAndDoesNotCountThem(t *testing.T) {
	eps := endpoints(4)
	eps[0].Health, eps[1].Health = discovery.Draining, discovery.Unhealthy
	b := balance(balancer.Config{PanicThreshold: 70}, eps)
	counts := count(b, 1000, pick{})
	if counts[eps[0].Address] != 0 || counts[eps[1].Address] == 0 {
		t.Errorf("two of three that count are healthy, less than 70%%: picks are %v", counts)
	}
}

// "Never set panic mode if normalized total health is 100 %": the second priority takes over.
func TestNoPanicWhileAnotherPriorityCanTakeOver(t *testing.T) {
	b := balance(balancer.Config{PanicThreshold: 50, Locality: failover("us")}, slices.Concat(at("us", 10, 0), at("eu", 10, 10)))
	for _, h := range b.Hosts()[1:10] {
		h.SetAvailable(false)
	}
	b.Refresh(start)
	if counts := count(b, 2000, pick{}); len(counts) != 11 {
		t.Errorf("%d hosts are picked, want the one healthy nearby and ten far away", len(counts))
	}
}

func TestTriedHostsAreRefusedWhileThereAreOthers(t *testing.T) {
	for _, policy := range policies {
		b := balance(balancer.Config{Policy: policy}, endpoints(3, 1, 1, 1))
		b.Hosts()[2].Begin() // the only host not tried looks the worst
		for range 500 {
			if h := b.Pick(pick{Tried: b.Hosts()[:2]}); h != b.Hosts()[2] {
				t.Fatalf("%v: picked %s again", policy, h.Address())
			}
		}
		if h := b.Pick(pick{Tried: b.Hosts()}); h == nil {
			t.Errorf("%v: nobody left, although a tried host is better than none", policy)
		}
	}
}

func TestOnlyHostIsPickedAgain(t *testing.T) {
	for _, policy := range policies {
		b := balance(balancer.Config{Policy: policy}, endpoints(1))
		if h := b.Pick(pick{Tried: b.Hosts()}); h != b.Hosts()[0] {
			t.Errorf("%v: picked %v, want the only host", policy, h)
		}
	}
}
