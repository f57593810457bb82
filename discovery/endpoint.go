package discovery

import (
	"fmt"
	"maps"
	"strings"
)

// An Endpoint is one address at which a service can be reached. It is data:
// comparable parts, no counters, safe to share. Nobody changes the maps of an
// Endpoint once it has been yielded.
type Endpoint struct {
	// Address is "ip:port", "host:port" (resolved when dialled) or
	// "unix:///path". It identifies the endpoint within its service.
	Address string
	// Labels select subsets: version=v1.
	Labels map[string]string
	// Locality says where the endpoint runs; the zero Locality is unknown.
	Locality Locality
	// Weight is the endpoint's share of traffic relative to its siblings; 0 means 1.
	Weight uint32
	// Health is what the source knows of the endpoint; zero means Healthy.
	Health Health
	// Identity is the SPIFFE ID that the endpoint is expected to prove; "" when unknown.
	Identity string
}

// Addresses makes plain endpoints of addresses: weight 1, healthy, without
// labels. The addresses are checked by whoever takes the endpoints.
func Addresses(addresses ...string) []Endpoint {
	endpoints := make([]Endpoint, len(addresses))
	for i, a := range addresses {
		endpoints[i].Address = a
	}
	return endpoints
}

// Equal reports whether e and o say the same.
func (e Endpoint) Equal(o Endpoint) bool {
	return e.Address == o.Address && e.Weight == o.Weight && e.Health == o.Health &&
		e.Locality == o.Locality && e.Identity == o.Identity && maps.Equal(e.Labels, o.Labels)
}

// EffectiveWeight is Weight with its default applied.
func (e Endpoint) EffectiveWeight() uint32 { return max(e.Weight, 1) }

// Health is a source's own judgement of an endpoint.
type Health uint8

// The states of an endpoint. An Unhealthy endpoint gets traffic only in a
// panic; a Draining one finishes what it has and gets nothing new.
const (
	Healthy Health = iota
	Unhealthy
	Draining
)

// String returns "healthy", "unhealthy" or "draining".
func (h Health) String() string {
	switch h {
	case Healthy:
		return "healthy"
	case Unhealthy:
		return "unhealthy"
	case Draining:
		return "draining"
	}
	return fmt.Sprintf("health(%d)", uint8(h))
}

// ParseHealth is the inverse of String; "" gives Healthy.
func ParseHealth(s string) (Health, error) {
	switch s {
	case "", "healthy":
		return Healthy, nil
	case "unhealthy":
		return Unhealthy, nil
	case "draining":
		return Draining, nil
	}
	return Healthy, fmt.Errorf("health %q: want healthy, unhealthy or draining", s)
}

// A Locality is a place: region, zone, subzone. Empty parts are unknown.
type Locality struct{ Region, Zone, Subzone string }

// ParseLocality reads "region", "region/zone" or "region/zone/subzone"; ""
// gives the zero Locality.
func ParseLocality(s string) (Locality, error) {
	parts := strings.Split(s, "/")
	if len(parts) > 3 {
		return Locality{}, fmt.Errorf("locality %q: want at most region/zone/subzone, got %d parts", s, len(parts))
	}
	parts = append(parts, "", "")
	return Locality{Region: parts[0], Zone: parts[1], Subzone: parts[2]}, nil
}

// Label is the part of the place that a label stands for, by Kubernetes' and Istio's
// names: topology.kubernetes.io/region and zone, topology.istio.io/subzone. It is ""
// for any other label, and for a part that is unknown.
func (l Locality) Label(name string) string {
	switch name {
	case "topology.kubernetes.io/region":
		return l.Region
	case "topology.kubernetes.io/zone":
		return l.Zone
	case "topology.istio.io/subzone":
		return l.Subzone
	}
	return ""
}

// String is the inverse of ParseLocality.
func (l Locality) String() string {
	switch {
	case l.Subzone != "":
		return l.Region + "/" + l.Zone + "/" + l.Subzone
	case l.Zone != "":
		return l.Region + "/" + l.Zone
	}
	return l.Region
}
