package rules

import (
	"math"

	networking "istio.io/api/networking/v1alpha3"
)

// validateSubsetName checks a name that is given.
func validateSubsetName(c *checker, path, name string) {
	if !isLabel(name) {
		c.invalid(path, "%q: want 1 to %d letters, digits or inner hyphens", brief(name), maxLabel)
	}
}

func validateDestination(c *checker, path string, d *networking.Destination) {
	if d == nil {
		return
	}
	if d.Host == "*" {
		c.invalid(path+".host", `"*": want the name of one service`)
	} else if err := checkWildcardDomain(d.Host); err != nil {
		c.invalid(path+".host", "%v", err)
	}
	if d.Subset != "" {
		validateSubsetName(c, path+".subset", d.Subset)
	}
	if d.Port != nil {
		validatePort(c, path+".port.number", d.Port.Number)
	}
}

// A split is what HTTP and TCP routes say of one of their destinations.
type split interface {
	GetDestination() *networking.Destination
	GetWeight() int32
}

// validateSplits checks the destinations of one route and their weights.
func validateSplits[S split](c *checker, path string, splits []S) {
	var total, positive int64
	for i, s := range splits {
		at := nth(path, i)
		if s.GetDestination() == nil {
			c.invalid(at+".destination", "missing: want a host")
		}
		validateDestination(c, at+".destination", s.GetDestination())
		total += int64(s.GetWeight())
		positive += int64(max(0, s.GetWeight()))
	}
	if len(splits) > 1 && total == 0 {
		c.invalid(path, "the weights of %d destinations add up to 0: want more", len(splits))
	}
	for i, s := range splits {
		if s.GetWeight() == 0 && total > 0 && !c.written(nth(path, i)+".weight") {
			c.warn(nth(path, i), "gets no requests: it has no weight, and others have one")
		}
	}
	// Istio adds up in 32 bits without noticing an overflow; Envoy refuses it.
	if positive > math.MaxInt32 {
		c.refuse(path, "the weights add up to %d: want at most %d", positive, math.MaxInt32)
	}
}
