package engine

import (
	"math/rand/v2"
	"strconv"

	"github.com/inmesh-go/inmesh/balancer"
)

func hashOf(key string) uint64 { return balancer.Hash(key) }

// mix is the finaliser of SplitMix64 (https://prng.di.unimi.it/splitmix64.c): a
// number that says nothing about another mix of the same hash.
func mix(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// A dice gives random numbers for choices that nobody gains by guessing: SplitMix64,
// at a fraction of what the runtime's generator costs. It is one goroutine's at a time.
type dice struct{ state uint64 }

func (d *dice) roll() uint64 {
	if d.state == 0 {
		d.state = rand.Uint64()
	}
	d.state += 0x9e3779b97f4a7c15
	return mix(d.state)
}

// newCookieValue is a key that no other caller has.
func newCookieValue() string { return strconv.FormatUint(rand.Uint64(), 16) }
