package rules

import (
	"math"

	networking "istio.io/api/networking/v1alpha3"
)

type consistentHash = networking.LoadBalancerSettings_ConsistentHashLB

func validateLoadBalancer(c *checker, path string, lb *networking.LoadBalancerSettings) {
	if lb == nil {
		return
	}
	if lb.GetSimple() == networking.LoadBalancerSettings_PASSTHROUGH {
		c.warn(path+".simple", "PASSTHROUGH dials the address in the URL: without a proxy there is no original destination")
	}
	if hash := lb.GetConsistentHash(); hash != nil {
		validateHash(c, path+".consistentHash", hash)
	}
	if lb.WarmupDurationSecs != nil && lb.Warmup != nil {
		c.warn(path+".warmupDurationSecs", "has no effect beside warmup")
	}
	if lb.Warmup != nil {
		validateWarmup(c, path+".warmup", lb.Warmup)
	}
	if lb.ZoneAwareLbSetting != nil && lb.LocalityLbSetting != nil {
		c.invalid(path+".zoneAwareLbSetting", "stands beside localityLbSetting: want one or the other")
	}
}

func validateWarmup(c *checker, path string, w *networking.WarmupConfiguration) {
	if w.Duration == nil {
		c.invalid(path+".duration", "missing: want the time in which a new host gets up to its share")
	}
	if a := w.Aggression; a != nil && !(a.Value > 0) {
		c.invalid(path+".aggression", "%s: want more than 0", show(a.Value))
	}
}

func validateHash(c *checker, path string, hash *consistentHash) {
	validateHashKey(c, path, hash)
	//lint:ignore SA1019 Istio still obeys it.
	legacy := hash.MinimumRingSize
	if legacy != 0 && hash.HashAlgorithm != nil {
		c.invalid(path+".minimumRingSize", "%d beside ringHash or maglev: want one or the other", legacy)
	}
	refuseRing(c, path+".minimumRingSize", legacy)
	refuseRing(c, path+".ringHash.minimumRingSize", hash.GetRingHash().GetMinimumRingSize())
	if maglev := hash.GetMaglev(); maglev != nil {
		validateMaglev(c, path+".maglev.tableSize", maglev.TableSize)
	}
}

func validateHashKey(c *checker, path string, hash *consistentHash) {
	switch key := hash.HashKey.(type) {
	case nil:
		c.warn(path, "no key to hash: every request goes to a random host")
	case *networking.LoadBalancerSettings_ConsistentHashLB_HttpHeaderName:
		if key.HttpHeaderName == "" {
			c.warn(path+".httpHeaderName", "empty: every request goes to a random host")
		}
	case *networking.LoadBalancerSettings_ConsistentHashLB_HttpQueryParameterName:
		if key.HttpQueryParameterName == "" {
			c.warn(path+".httpQueryParameterName", "empty: every request goes to a random host")
		}
	case *networking.LoadBalancerSettings_ConsistentHashLB_UseSourceIp:
		if !key.UseSourceIp {
			c.warn(path+".useSourceIp", "false hashes nothing: every request goes to a random host")
			return
		}
		c.warn(path+".useSourceIp", "ALL requests of this process go to ONE host: the caller's address is always its own")
	case *networking.LoadBalancerSettings_ConsistentHashLB_HttpCookie:
		validateHashCookie(c, path+".httpCookie", key.HttpCookie)
	}
}

func validateHashCookie(c *checker, path string, cookie *networking.LoadBalancerSettings_ConsistentHashLB_HTTPCookie) {
	if cookie.GetName() == "" {
		c.invalid(path+".name", "missing: want the name of the cookie")
	}
	if cookie.GetTtl() != nil {
		c.warn(path+".ttl", "the cookie that is made reaches the next request only through the client's own cookie jar")
	}
	first := map[string]int{}
	for i, attribute := range cookie.GetAttributes() {
		at := item(path, "attributes", i) + ".name"
		name := attribute.GetName()
		if name == "" {
			c.invalid(at, "missing: want the name of the attribute")
		} else if j, duplicate := first[name]; duplicate {
			c.invalid(at, "%q is the name of attributes[%d] already", name, j)
		}
		first[name] = i
	}
}

// maxRing is Envoy's bound, which Istio does not check.
const maxRing = 8 << 20

func refuseRing(c *checker, path string, size uint64) {
	if size > maxRing {
		c.refuse(path, "%d: want at most %d", size, maxRing)
	}
}

// maxMaglev is the first table size that Envoy does not take.
const maxMaglev = 5000011

func validateMaglev(c *checker, path string, size uint64) {
	switch {
	case size == 0:
		c.invalid(path, "missing: want a prime below %d", maxMaglev)
	case size >= maxMaglev || !isPrime(size):
		c.invalid(path, "%d: want a prime below %d", size, maxMaglev)
	}
}

// isPrime counts 1 as a prime, as Envoy does.
func isPrime(n uint64) bool {
	if n < 4 || n%2 == 0 {
		return n < 4
	}
	for factor, last := uint64(3), uint64(math.Sqrt(float64(n))); factor <= last; factor += 2 {
		if n%factor == 0 {
			return false
		}
	}
	return true
}
