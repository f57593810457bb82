package discovery

import (
	"fmt"
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
