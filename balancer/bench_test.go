package balancer_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/balancer"
)

// spread steps through the keys so that neighbours are far apart.
const spread = 0x9E3779B97F4A7C15

// answered lets each host answer once, so that peak EWMA has something to compare.
func answered(b *balancer.Balancer[int]) *balancer.Balancer[int] {
	for _, h := range b.Hosts() {
		h.Begin()
		h.End(time.Duration(1+rand.IntN(10))*time.Millisecond, true, start.Add(-time.Second))
	}
	return b
}

func BenchmarkPick(b *testing.B) {
	for _, policy := range policies {
		for _, n := range []int{3, 100, 10_000} {
			b.Run(fmt.Sprintf("%v/%d", policy, n), func(b *testing.B) {
				bal := answered(balance(balancer.Config{Policy: policy}, endpoints(n)))
				b.ReportAllocs()
				for key := rand.Uint64(); b.Loop(); key += spread {
					bal.Pick(pick{Hash: key, HasHash: true, Now: start})
				}
			})
		}
	}
}

func BenchmarkPickWeighted(b *testing.B) {
	for _, policy := range []balancer.Policy{balancer.LeastRequest, balancer.RoundRobin} {
		for _, n := range []int{3, 100, 10_000} {
			b.Run(fmt.Sprintf("%v/%d", policy, n), func(b *testing.B) {
				bal := balance(balancer.Config{Policy: policy}, endpoints(n, 5, 3, 2))
				b.ReportAllocs()
				for b.Loop() {
					bal.Pick(pick{Now: start})
				}
			})
		}
	}
}

func BenchmarkPickParallel(b *testing.B) {
	for _, policy := range policies {
		for _, n := range []int{3, 100, 10_000} {
			b.Run(fmt.Sprintf("%v/%d", policy, n), func(b *testing.B) {
				bal := answered(balance(balancer.Config{Policy: policy}, endpoints(n)))
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for key := rand.Uint64(); pb.Next(); key += spread {
						bal.Pick(pick{Hash: key, HasHash: true, Now: start})
					}
				})
			})
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, policy := range policies {
		eps := endpoints(10_001)
		b.Run(fmt.Sprintf("%v/one of 10000 comes or goes", policy), func(b *testing.B) {
			bal := balance(balancer.Config{Policy: policy}, eps)
			for i := 0; b.Loop(); i++ {
				bal.Update(eps[:10_000+i%2], start)
			}
		})
	}
	b.Run("nothing of 10000 changes", func(b *testing.B) {
		eps := endpoints(10_000)
		bal := balance(balancer.Config{}, eps)
		for b.Loop() {
			bal.Update(eps, start)
		}
	})
}

func BenchmarkRefresh(b *testing.B) {
	for _, policy := range policies {
		b.Run(policy.String(), func(b *testing.B) {
			bal := balance(balancer.Config{Policy: policy}, endpoints(10_000))
			h := bal.Hosts()[7]
			for i := 0; b.Loop(); i++ {
				h.SetAvailable(i%2 == 0)
				bal.Refresh(start)
			}
		})
	}
}
