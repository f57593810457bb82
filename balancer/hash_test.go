package balancer_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/inmesh-go/inmesh/balancer"
	"github.com/inmesh-go/inmesh/discovery"
)

var hashPolicies = []balancer.Policy{balancer.RingHash, balancer.Maglev}

const keys = 20_000

// owners returns which host each key belongs to.
func owners(b *balancer.Balancer[int]) []string {
	out := make([]string, keys)
	for i := range out {
		out[i] = b.Pick(pick{Hash: balancer.Hash(fmt.Sprint("key", i)), HasHash: true}).Address()
	}
	return out
}

func TestHashIsTheSameInEveryProcess(t *testing.T) {
	if got, want := balancer.Hash("abc"), uint64(0x44BC2CF5AD770999); got != want { // xxHash64, seed 0
		t.Errorf("Hash(abc) = %#x, want %#x", got, want)
	}
}

func TestEqualKeysGoToEqualHostsInEveryProcess(t *testing.T) {
	for _, policy := range hashPolicies {
		eps := endpoints(20)
		first := owners(balance(balancer.Config{Policy: policy}, eps))
		slices.Reverse(eps)
		if second := owners(balance(balancer.Config{Policy: policy}, eps)); !slices.Equal(first, second) {
			t.Errorf("%v: another order of endpoints moves keys", policy)
		}
	}
}

func TestOneHostMoreMovesItsShareOfKeysOnly(t *testing.T) {
	for _, policy := range hashPolicies {
		for _, n := range []int{2, 3, 4, 10, 20, 99} {
			t.Run(fmt.Sprintf("%v/%d", policy, n), func(t *testing.T) {
				eps := endpoints(n + 1)
				b := balance(balancer.Config{Policy: policy}, eps[:n])
				before := owners(b)
				b.Update(eps, start)
				grown := owners(b)
				moved, stray := 0, 0
				for i := range before {
					if before[i] != grown[i] {
						moved++
						stray += btoi(grown[i] != eps[n].Address)
					}
				}
				share := keys / (n + 1)
				if moved < share/2 || moved > 2*share {
					t.Errorf("%d keys moved, want about %d", moved, share)
				}
				if limit := map[balancer.Policy]int{balancer.Maglev: keys / 50}[policy]; stray > limit {
					t.Errorf("%d keys moved between hosts that had been there, want at most %d", stray, limit)
				}
				b.Update(eps[:n], start)
				if !slices.Equal(before, owners(b)) {
					t.Error("keys did not come back when the host left")
				}
			})
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestEjectionMovesTheEjectedHostsKeysOnly(t *testing.T) {
	for _, policy := range hashPolicies {
		b := balance(balancer.Config{Policy: policy}, endpoints(10))
		before := owners(b)
		ejected := b.Hosts()[3]
		ejected.SetAvailable(false)
		heirs := map[string]int{}
		for _, refreshed := range []bool{false, true} {
			if refreshed {
				b.Refresh(start)
			}
			for i, owner := range owners(b) {
				if owner == ejected.Address() || before[i] != owner && before[i] != ejected.Address() {
					t.Fatalf("%v: key %d went from %s to %s (ejected: %s)", policy, i, before[i], owner, ejected.Address())
				}
				if before[i] != owner {
					heirs[owner]++
				}
			}
		}
		if len(heirs) < 9 {
			t.Errorf("%v: the keys of the ejected host fell to %d hosts, want all 9", policy, len(heirs))
		}
		ejected.SetAvailable(true)
		b.Refresh(start)
		if !slices.Equal(before, owners(b)) {
			t.Errorf("%v: keys did not come back with the host", policy)
		}
	}
}

func TestHostsThatDrainOrFallIllMoveTheirKeysOnly(t *testing.T) {
	for _, policy := range hashPolicies {
		for _, health := range []discovery.Health{discovery.Unhealthy, discovery.Draining} {
			eps := endpoints(10)
			b := balance(balancer.Config{Policy: policy}, eps)
			before := owners(b)
			eps[3].Health = health
			b.Update(eps, start)
			stray := 0
			for i, owner := range owners(b) {
				if owner == eps[3].Address {
					t.Fatalf("%v: key %d went to a host that is %v", policy, i, health)
				}
				stray += btoi(before[i] != owner && before[i] != eps[3].Address)
			}
			if stray > keys/50 {
				t.Errorf("%v: %d keys of healthy hosts moved when one was %v", policy, stray, health)
			}
		}
	}
}

func TestWithoutAKeyHashPoliciesPickAtRandom(t *testing.T) {
	for _, policy := range hashPolicies {
		if got := count(balance(balancer.Config{Policy: policy}, endpoints(5)), 1000, pick{}); len(got) != 5 {
			t.Errorf("%v: 1000 picks without a key met %d of 5 hosts", policy, len(got))
		}
	}
}

func TestHashPoliciesFindTheLastHostStanding(t *testing.T) {
	for _, policy := range hashPolicies {
		b := balance(balancer.Config{Policy: policy}, endpoints(1000))
		for _, h := range b.Hosts()[1:] {
			h.SetAvailable(false)
		}
		for i := range 100 {
			if h := b.Pick(pick{Hash: balancer.Hash(fmt.Sprint(i)), HasHash: true}); h != b.Hosts()[0] {
				t.Fatalf("%v: picked %v, want the only available host", policy, h)
			}
		}
	}
}

func TestRetriesOfAKeyWalkOnToOtherHosts(t *testing.T) {
	for _, policy := range hashPolicies {
		b := balance(balancer.Config{Policy: policy}, endpoints(5))
		for i := range 200 {
			p := pick{Hash: balancer.Hash(fmt.Sprint(i)), HasHash: true}
			for range 5 {
				h := b.Pick(p)
				if slices.Contains(p.Tried, h) {
					t.Fatalf("%v: key %d came back to %s after %d attempts", policy, i, h.Address(), len(p.Tried))
				}
				if again := b.Pick(p); again != h {
					t.Fatalf("%v: key %d walks to %s and to %s", policy, i, h.Address(), again.Address())
				}
				p.Tried = append(p.Tried, h)
			}
		}
	}
}
