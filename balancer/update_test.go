package balancer_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/balancer"
	"github.com/inmesh-go/inmesh/discovery"
)

func addresses(hosts []*host) (out []string) {
	for _, h := range hosts {
		out = append(out, h.Address())
	}
	slices.Sort(out)
	return out
}

func TestUpdateNamesWhoCameAndWent(t *testing.T) {
	made := 0
	b := balancer.New(balancer.Config{}, func(state *int, ep discovery.Endpoint) { made++; *state = int(ep.Weight) })
	eps := endpoints(4, 7, 8, 9, 10)
	for _, step := range []struct {
		name                 string
		eps                  []discovery.Endpoint
		added, removed, made int
	}{
		{"first", eps[:3], 3, 0, 3},
		{"the same", eps[:3], 0, 0, 3},
		{"another order", []discovery.Endpoint{eps[2], eps[0], eps[1]}, 0, 0, 3},
		{"one comes, one goes", eps[1:], 1, 1, 4},
		{"one twice", []discovery.Endpoint{eps[1], eps[1], eps[2], eps[3]}, 0, 0, 4},
		{"empty", nil, 0, 3, 4},
		{"one comes back as another host", eps[:1], 1, 0, 5},
	} {
		added, removed := b.Update(step.eps, start)
		if len(added) != step.added || len(removed) != step.removed || made != step.made {
			t.Errorf("%s: %d came, %d went, %d states made; want %d, %d, %d",
				step.name, len(added), len(removed), made, step.added, step.removed, step.made)
		}
	}
	if got := b.Hosts()[0].State; got != 7 {
		t.Errorf("state is %d, want what begin made of the endpoint", got)
	}
}

func TestHostsKeepTheirCountersThroughEveryChange(t *testing.T) {
	eps := endpoints(3)
	b := balance(balancer.Config{}, eps)
	h := b.Hosts()[1]
	h.Begin()
	h.State = 42
	eps[1].Labels, eps[1].Weight, eps[1].Locality = map[string]string{"version": "v2"}, 5, place("us")
	b.Update(eps, start)
	for _, policy := range policies {
		if err := b.Configure(balancer.Config{Policy: policy}, start); err != nil {
			t.Fatal(err)
		}
	}
	if b.Hosts()[1] != h || h.Active() != 1 || h.State != 42 {
		t.Errorf("host %p became %p with %d in flight and state %d", h, b.Hosts()[1], h.Active(), h.State)
	}
	if got := h.Endpoint(); got.Labels["version"] != "v2" || got.Weight != 5 || got.Locality != place("us") {
		t.Errorf("the endpoint is still %+v", got)
	}
}

// Whoever counts priorities in bits while a request is under way must not meet a negative one.
func TestADrainingHostKeepsItsPriorityButIsShownWithoutOne(t *testing.T) {
	eps := slices.Concat(at("us", 1, 0), at("eu", 1, 1))
	b := balance(balancer.Config{Locality: failover("us")}, eps)
	eps[1].Health = discovery.Draining
	b.Update(eps, start)
	if got, shown := b.Hosts()[1].Priority(), b.Snapshot(start).Hosts[1].Priority; got != 1 || shown != -1 {
		t.Errorf("priority is %d, shown as %d; want 1 and -1", got, shown)
	}
	eps[1].Health = discovery.Healthy
	b.Update(eps, start)
	if shown := b.Snapshot(start).Hosts[1].Priority; shown != 1 {
		t.Errorf("healthy again, it is shown with priority %d, want 1", shown)
	}
}

func TestAWeightThatChangesCounts(t *testing.T) {
	for _, policy := range []balancer.Policy{balancer.LeastRequest, balancer.RoundRobin, balancer.RingHash, balancer.Maglev} {
		b := balance(balancer.Config{Policy: policy}, endpoints(2))
		eps := endpoints(2, 1, 9)
		b.Update(eps, start)
		wantShares(t, count(b, 20_000, pick{}), eps, []float64{1, 9}, 0.2)
	}
}

func TestConfigureRefusesWhatValidateRefuses(t *testing.T) {
	b := balance(balancer.Config{Policy: balancer.RoundRobin}, endpoints(2))
	if err := b.Configure(balancer.Config{Policy: 99}, start); err == nil {
		t.Error("policy 99 was accepted")
	}
	if got := b.Snapshot(start).Policy; got != balancer.RoundRobin {
		t.Errorf("the policy is %v after a refused change", got)
	}
}

func TestConfigureRefreshes(t *testing.T) {
	b := balance(balancer.Config{}, endpoints(2))
	h := b.Hosts()[0]
	h.SetAvailable(false)
	b.Refresh(start)
	h.SetAvailable(true)
	if err := b.Configure(balancer.Config{}, start); err != nil {
		t.Fatal(err)
	}
	if got := count(b, 100, pick{}); got[h.Address()] == 0 {
		t.Error("the host that came back got none of 100")
	}
}

// Nothing that runs at once may race, lose a host, or hand out one that was never there.
func TestEverythingAtOnce(t *testing.T) {
	for _, policy := range policies {
		eps := endpoints(40, 1, 2, 3)
		b := balance(balancer.Config{Policy: policy}, eps)
		stop := make(chan struct{})
		var others sync.WaitGroup
		loop := func(step func()) {
			others.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						step()
					}
				}
			})
		}
		loop(func() { b.Update(eps[:20+rand.IntN(20)], time.Now()) })
		loop(func() { b.Update(eps[:20+rand.IntN(20)], time.Now()) })
		loop(func() { b.Hosts()[rand.IntN(10)].SetAvailable(rand.IntN(2) == 0); b.Refresh(time.Now()) })
		loop(func() {
			b.Configure(balancer.Config{Policy: policy, Warmup: balancer.Warmup{Duration: time.Hour}, MinimumRingSize: uint64(rand.IntN(100))}, time.Now())
		})
		loop(func() { b.Snapshot(time.Now()) })
		var pickers sync.WaitGroup
		for range 2 {
			pickers.Go(func() {
				for i := range 2000 {
					h := b.Pick(pick{Hash: rand.Uint64(), HasHash: i%2 == 0, Now: time.Now()})
					if h == nil {
						t.Errorf("%v: no host, though ten always are available", policy)
						return
					}
					h.Begin()
					h.End(time.Millisecond, i%3 > 0, time.Now())
				}
			})
		}
		pickers.Wait()
		close(stop)
		others.Wait()
		b.Update(eps, start)
		if got := addresses(b.Hosts()); len(slices.Compact(got)) != len(eps) {
			t.Errorf("%v: hosts are %v", policy, got)
		}
		for _, h := range b.Hosts() {
			if h.Active() != 0 {
				t.Errorf("%v: %s has %d in flight, want none", policy, h.Address(), h.Active())
			}
		}
	}
}

// The cores collide on one rotation; all hosts still get the same.
func TestRoundRobinStaysEvenAcrossCores(t *testing.T) {
	b := balance(balancer.Config{Policy: balancer.RoundRobin}, endpoints(10))
	counts, mu, wg := map[string]int{}, sync.Mutex{}, sync.WaitGroup{}
	for range 4 {
		wg.Go(func() {
			mine := count(b, 100_000, pick{})
			mu.Lock()
			defer mu.Unlock()
			for address, n := range mine {
				counts[address] += n
			}
		})
	}
	wg.Wait()
	wantShares(t, counts, endpoints(10), equal(10), 0)
}

func TestTenThousandEndpointsCostAKibibyteEachAtMost(t *testing.T) {
	const n = 10_000
	for _, policy := range policies {
		eps := endpoints(n, 1, 2)
		before := heap()
		b := balance(balancer.Config{Policy: policy}, eps)
		b.Hosts()[0].SetAvailable(false)
		b.Refresh(start)
		if got := (heap() - before) / n; got > 1024 {
			t.Errorf("%v: %d bytes per endpoint", policy, got)
		} else {
			t.Logf("%v: %d bytes per endpoint", policy, got)
		}
		runtime.KeepAlive(b)
		runtime.KeepAlive(eps)
	}
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}
