package plan

import (
	networking "istio.io/api/networking/v1alpha3"
	"sync/atomic"
)

// compileDestinations compiles the arms of a split. Arms of weight 0 are
// dropped, except where there is only one arm: it gets everything, whatever its
// weight.
func (p *Plan) compileDestinations(spec *networking.HTTPRoute, namespace string) []Destination {
	var out []Destination
	single := len(spec.Route) == 1
	for _, arm := range spec.Route {
		if arm.Weight == 0 && !single {
			continue
		}
		d := p.destination(arm.Destination, namespace)
		d.Weight = max(uint32(arm.Weight), 1)
		d.Request = mergeOps(single, spec.GetHeaders().GetRequest(), arm.GetHeaders().GetRequest())
		d.Response = mergeOps(single, spec.GetHeaders().GetResponse(), arm.GetHeaders().GetResponse())
		d.authority = compileAuthority(spec, arm)
		out = append(out, d)
	}
	return out
}

// destination resolves a short host with the namespace of the rule.
func (p *Plan) destination(spec *networking.Destination, namespace string) Destination {
	return Destination{
		Host:   p.names.canonical(spec.GetHost(), namespace),
		Subset: spec.GetSubset(),
		Port:   uint16(spec.GetPort().GetNumber()),
		Live:   new(atomic.Value),
	}
}

// A Mirror is a copy of a route's traffic that goes to another destination.
type Mirror struct {
	Fraction Fraction
	// Route is what the copy takes: one destination, no retries, the timeout of
	// the original's route.
	Route *Route
}

func (p *Plan) compileMirrors(r *Route, spec *networking.HTTPRoute, namespace string) []Mirror {
	var out []Mirror
	mirror := func(to *networking.Destination, f Fraction) {
		if f > 0 {
			d := p.destination(to, namespace)
			d.Weight = 1
			out = append(out, Mirror{f, &Route{Name: r.Name + " mirror", Rule: r.Rule, Timeout: r.Timeout, Destinations: []Destination{d}, total: 1}})
		}
	}
	if spec.Mirror != nil {
		mirror(spec.Mirror, mirrorFraction(spec))
	}
	for _, m := range spec.Mirrors {
		f := Always
		if m.Percentage != nil {
			f = percent(m.Percentage.Value)
		}
		mirror(m.Destination, f)
	}
	return out
}

// mirrorFraction: mirrorPercentage, else the deprecated mirrorPercent, else all.
func mirrorFraction(spec *networking.HTTPRoute) Fraction {
	switch {
	case spec.MirrorPercentage != nil:
		return percent(spec.MirrorPercentage.Value)
	case spec.GetMirrorPercent() != nil:
		return percent(float64(spec.MirrorPercent.Value))
	}
	return Always
}

// A Fraction is a share in parts per million.
type Fraction uint32

// Always is 100 %.
const Always Fraction = 1_000_000

// percent converts as Istio does, by truncation: uint32(value * 10000). The
// deprecated percent of a delay may be written outside 0 to 100.
func percent(value float64) Fraction { return Fraction(max(0, min(value, 100)) * 10_000) }

// Hit decides by a number that is uniform over all uint32 values: Always always
// hits, 0 never.
func (f Fraction) Hit(random uint32) bool {
	return uint64(random)*uint64(Always)>>32 < uint64(f)
}
