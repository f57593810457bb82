package consul

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery"
)

// endpoints are those of the instances, sorted by address, each address once.
// The error names the instances that are left out, and why.
func (t target) endpoints(f found) ([]discovery.Endpoint, error) {
	var faults []error
	best := make(map[string]discovery.Endpoint, len(f.instances))
	for _, instance := range f.instances {
		e, err := t.endpoint(instance, f.trust)
		if err != nil {
			faults = append(faults, fmt.Errorf("instance %s on node %s: %w", instance.Service.ID, instance.Node.Node, err))
			continue
		}
		if other, ok := best[e.Address]; !ok || better(e, other) {
			best[e.Address] = e
		}
	}
	return sorted(best), errors.Join(faults...)
}

// better says which of two registrations of one address counts: an instance that
// moved to another agent leaves one behind that turns critical.
func better(a, b discovery.Endpoint) bool {
	return a.Health == discovery.Healthy && b.Health != discovery.Healthy
}

func sorted(byAddress map[string]discovery.Endpoint) []discovery.Endpoint {
	out := make([]discovery.Endpoint, 0, len(byAddress))
	for _, e := range byAddress {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b discovery.Endpoint) int { return strings.Compare(a.Address, b.Address) })
	return out
}

func (t target) endpoint(instance *api.ServiceEntry, trust string) (discovery.Endpoint, error) {
	address, err := t.address(instance)
	if err != nil {
		return discovery.Endpoint{}, err
	}
	health, weight := condition(instance)
	e := discovery.Endpoint{
		Address:  address,
		Labels:   labels(instance.Service),
		Locality: locality(instance),
		Weight:   weight,
		Health:   health,
		Identity: identity(instance, trust),
	}
	return e, discovery.Validate([]discovery.Endpoint{e})
}

// address is the service's own, else the node's, as in Consul's DNS.
func (t target) address(instance *api.ServiceEntry) (string, error) {
	s := instance.Service
	port := s.DefaultPort()
	switch {
	case s.SocketPath != "":
		return "unix://" + s.SocketPath, nil
	case port == 0 && t.port == 0:
		return "", errors.New("it has no port, and none was asked for")
	case port == 0:
		port = int(t.port)
	}
	host := s.Address
	if host == "" {
		host = instance.Node.Address
	}
	return net.JoinHostPort(canonical(host), strconv.Itoa(port)), nil
}

// canonical is the one spelling of an IP address or a host name.
func canonical(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().String()
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// condition is what the checks of the instance and of its node come to, and the
// weight that goes with it. In maintenance an instance ends what it has begun.
// A weight of 0 in warning is how operators say that it gets nothing then.
func condition(instance *api.ServiceEntry) (discovery.Health, uint32) {
	w := instance.Service.Weights
	switch instance.Checks.AggregatedStatus() {
	case api.HealthPassing:
		return discovery.Healthy, weight(w.Passing)
	case api.HealthMaint:
		return discovery.Draining, weight(w.Passing)
	case api.HealthWarning:
		if w.Warning > 0 {
			return discovery.Healthy, weight(w.Warning)
		}
	}
	return discovery.Unhealthy, weight(w.Passing)
}

func weight(n int) uint32 { return uint32(min(max(n, 1), math.MaxInt32)) }

// locality is the service's, else the node's, else the datacenter for a region,
// so that rules can fail over from one datacenter to another.
func locality(instance *api.ServiceEntry) discovery.Locality {
	for _, l := range []*api.Locality{instance.Service.Locality, instance.Node.Locality} {
		if l != nil && l.Region != "" {
			return discovery.Locality{Region: l.Region, Zone: l.Zone}
		}
	}
	return discovery.Locality{Region: instance.Node.Datacenter}
}
