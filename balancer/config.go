package balancer

import (
	"errors"
	"fmt"
	"math/big"
	"time"
)

// A Policy names the algorithm that chooses among the hosts that may be picked.
type Policy uint8

// The policies. See the package comment for what each promises.
const (
	LeastRequest Policy = iota // the less loaded of two hosts drawn at random
	RoundRobin                 // one after the other, by weight
	Random                     // uniform; weights count between localities only
	RingHash                   // the same key to the same host, on a ring of points
	Maglev                     // the same key to the same host, by a table
	PeakEWMA                   // the cheaper of two, by latency times load
)

var policyNames = [...]string{"least request", "round robin", "random", "ring hash", "maglev", "peak EWMA"}

// String returns the policy's name in words, such as "least request".
func (p Policy) String() string {
	if int(p) < len(policyNames) {
		return policyNames[p]
	}
	return fmt.Sprintf("policy(%d)", uint8(p))
}

// hashes reports whether the policy sends equal keys to equal hosts.
func (p Policy) hashes() bool { return p == RingHash || p == Maglev }

// warms reports whether the policy honours Warmup.
func (p Policy) warms() bool { return p == LeastRequest || p == RoundRobin }

// Bounds and defaults; the numbers are Envoy's and Istio's.
const (
	defaultRingSize  = 1024
	maxRingSize      = 8 << 20
	defaultTableSize = 65537
	maxTableSize     = 5_000_011 // Istio wants less than this; so do we
	defaultWarmupMin = 10
)

// A Config says how to choose among hosts. The zero Config is least request over all
// endpoints as one set: no preference of place, no panic, no warm-up.
type Config struct {
	// Policy is the algorithm. Zero: LeastRequest.
	Policy Policy
	// MinimumRingSize is the least number of points on the ring of RingHash, at most 8,388,608.
	// Zero: 1024.
	MinimumRingSize uint64
	// TableSize is the number of slots in Maglev's table: a prime below 5,000,011, or 1, which
	// Istio lets pass. Zero: 65537.
	TableSize uint64
	// PanicThreshold is the percentage, 0 to 100, of healthy hosts below which a priority
	// ignores health and picks among all its hosts. Zero: never.
	PanicThreshold int
	// Warmup raises the share of new hosts slowly. Zero: off.
	Warmup Warmup
	// Locality prefers hosts by place. Zero: places do not count.
	Locality Locality
}

// A Warmup raises a new host's share from MinimumPercent to all of it over Duration. It acts in
// LeastRequest and RoundRobin and is ignored by the other policies, as in Envoy.
type Warmup struct {
	// Duration is how long a host is warming, at least a millisecond. Zero: no warm-up.
	Duration time.Duration
	// MinimumPercent, up to 100, is the share of its weight that a host starts with. Zero: 10.
	MinimumPercent float64
	// Aggression bends the curve (t/Duration)^(1/Aggression): above 1 most of the rise comes
	// early, below 1 late. Zero: 1, a straight line.
	Aggression float64
}

// Validate returns every fault of c at once, each naming the field, the value and the bound; nil
// when there is none.
func (c Config) Validate() error {
	return errors.Join(
		check(int(c.Policy) < len(policyNames), "Policy: %v is unknown", c.Policy),
		check(c.MinimumRingSize <= maxRingSize, "MinimumRingSize: %d is above %d", c.MinimumRingSize, maxRingSize),
		check(c.TableSize < maxTableSize, "TableSize: %d is not below %d", c.TableSize, maxTableSize),
		check(c.TableSize <= 1 || isPrime(c.TableSize), "TableSize: %d is not a prime", c.TableSize),
		check(0 <= c.PanicThreshold && c.PanicThreshold <= 100, "PanicThreshold: %d is not in 0 to 100", c.PanicThreshold),
		c.Warmup.validate(),
		c.Locality.validate(),
	)
}

func (w Warmup) validate() error {
	return errors.Join(
		check(w.Duration == 0 || w.Duration >= time.Millisecond, "Warmup.Duration: %v is below 1ms", w.Duration),
		check(0 <= w.MinimumPercent && w.MinimumPercent <= 100, "Warmup.MinimumPercent: %v is not in 0 to 100", w.MinimumPercent),
		check(w.Aggression >= 0, "Warmup.Aggression: %v is not positive", w.Aggression),
	)
}

// check returns nil when ok, else an error of this package.
func check(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf("balancer: "+format, args...)
}

// isPrime is exact: ProbablyPrime is for every number below 2^64.
func isPrime(n uint64) bool { return new(big.Int).SetUint64(n).ProbablyPrime(0) }

// withDefaults replaces what is zero by what zero means.
func (c Config) withDefaults() Config {
	c.MinimumRingSize = orDefault(c.MinimumRingSize, defaultRingSize)
	c.TableSize = orDefault(c.TableSize, defaultTableSize)
	c.Warmup.MinimumPercent = orDefault(c.Warmup.MinimumPercent, defaultWarmupMin)
	c.Warmup.Aggression = orDefault(c.Warmup.Aggression, 1)
	return c
}

func orDefault[N uint64 | float64](value, fallback N) N {
	if value == 0 {
		return fallback
	}
	return value
}
