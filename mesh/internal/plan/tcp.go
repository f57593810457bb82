package plan

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A tcpMatch is one L4MatchAttributes: all its conditions must hold.
type tcpMatch struct {
	port    uint16         // 0 any
	subnets []netip.Prefix // none: any address
}

// MatchTCP finds the first TCP route that a connection takes. to is the address that
// was dialled, if it was not a name; a name stands for the addresses that its
// ServiceEntry lists. Where no route matches, the connection goes to the service
// itself, as in Istio: there is no 404 for it.
func (v *VirtualHost) MatchTCP(to netip.Addr, port uint16) *Route {
	for _, r := range v.tcp {
		if v.takes(r, to, port) {
			return r
		}
	}
	return v.fallback
}

func (v *VirtualHost) takes(r *Route, to netip.Addr, port uint16) bool {
	if len(r.connections) == 0 {
		return len(r.excluded) == 0
	}
	return slices.ContainsFunc(r.connections, func(m tcpMatch) bool { return v.failing(m, to, port) == "" })
}

// failing is the first condition that does not hold; "": all do.
func (v *VirtualHost) failing(m tcpMatch, to netip.Addr, port uint16) string {
	switch {
	case m.port != 0 && m.port != port:
		return "port " + strconv.Itoa(int(m.port))
	case len(m.subnets) > 0 && !v.within(m.subnets, to):
		return fmt.Sprintf("destinationSubnets %v", m.subnets)
	}
	return ""
}

// A TCPVerdict is what a TCP route says of a connection.
type TCPVerdict struct {
	*Route
	Verdict
}

// ExplainTCP is MatchTCP with reasons, of all routes in their order, those too that
// this workload never takes.
func (v *VirtualHost) ExplainTCP(to netip.Addr, port uint16) (out []TCPVerdict) {
	for _, r := range v.tcp {
		said := TCPVerdict{r, Verdict{Matched: v.takes(r, to, port)}}
		if !said.Matched {
			for _, m := range r.connections {
				said.Failed = append(said.Failed, v.failing(m, to, port))
			}
			said.Failed = append(said.Failed, r.excluded...)
		}
		out = append(out, said)
	}
	return out
}

// within reports whether one of the subnets has the address or, of a name, all of one
// of the service's.
func (v *VirtualHost) within(subnets []netip.Prefix, to netip.Addr) bool {
	return slices.ContainsFunc(subnets, func(n netip.Prefix) bool {
		if to.IsValid() {
			return n.Contains(to)
		}
		return v.Service != nil && slices.ContainsFunc(v.Service.addresses, func(own netip.Prefix) bool {
			return n.Bits() <= own.Bits() && n.Contains(own.Addr())
		})
	})
}

// tcpRoutes are those of all the rules that name a host, in their order.
func (p *Plan) tcpRoutes(places []int) (out []*Route) {
	for _, i := range places {
		vs := p.set.VirtualServices[i]
		for j, spec := range vs.Spec.Tcp {
			out = append(out, p.compileTCP(vs, spec, "spec.tcp["+strconv.Itoa(j)+"]"))
		}
	}
	return out
}

// compileTCP keeps of a route that no connection of this workload takes why that is.
func (p *Plan) compileTCP(vs *rules.VirtualService, spec *networking.TCPRoute, field string) *Route {
	r := &Route{Name: field, Rule: &vs.Meta, Field: field, Line: vs.LineOf(field)}
	for _, m := range spec.Match {
		if why := p.excludedTCP(m); why != "" {
			r.excluded = append(r.excluded, why)
		} else {
			r.connections = append(r.connections, tcpMatch{uint16(m.GetPort()), prefixes(m.GetDestinationSubnets())})
		}
	}
	r.Destinations = p.tcpDestinations(spec.Route, vs.Namespace)
	for i := range r.Destinations {
		r.total += r.Destinations[i].Weight
	}
	return r
}

// tcpDestinations are the arms of a split, by the rules of compileDestinations.
func (p *Plan) tcpDestinations(route []*networking.RouteDestination, namespace string) (out []Destination) {
	for _, arm := range route {
		if arm.Weight == 0 && len(route) > 1 {
			continue
		}
		d := p.destination(arm.Destination, namespace)
		d.Weight = max(uint32(arm.Weight), 1)
		out = append(out, d)
	}
	return out
}

// excludedTCP says why a match leaves this workload out, "" if it does not. Unlike
// those of HTTP, all that is written must hold, beside gateways too.
func (p *Plan) excludedTCP(m *networking.L4MatchAttributes) string {
	if why := p.excluded(&networking.HTTPMatchRequest{Gateways: m.GetGateways()}); why != "" {
		return why
	}
	return p.excluded(&networking.HTTPMatchRequest{SourceLabels: m.GetSourceLabels(), SourceNamespace: m.GetSourceNamespace()})
}

// prefixes reads addresses and CIDRs, which have been validated.
func prefixes(texts []string) (out []netip.Prefix) {
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil {
			out = append(out, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
		} else if n, err := netip.ParsePrefix(text); err == nil {
			out = append(out, n.Masked())
		}
	}
	return out
}
