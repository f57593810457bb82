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

// newCookieValue is a key that no other caller has.
func newCookieValue() string { return strconv.FormatUint(rand.Uint64(), 16) }
