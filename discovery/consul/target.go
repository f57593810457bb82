package consul

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/inmesh-go/inmesh/discovery"
)

// A target is what Consul is asked for.
type target struct {
	name   string
	tag    string // that instances must have; "": any
	query  bool   // the name is that of a prepared query
	places []Place
	port   uint16 // for instances that have none
}

// target reads the host of a service. Cluster-local hosts are known by their
// name, those of Consul's DNS by its grammar, others as they are written. What is no
// service's in that grammar, such as a node's name, is unknown: who asks next may know.
func (c *Config) target(s discovery.Service) (target, error) {
	t := target{name: s.Name, places: c.Places, port: s.Port}
	if s.Namespace != "" && c.Namespaces {
		t.places = within(t.places, s.Namespace)
	}
	if name, ok := strings.CutSuffix(s.Host, "."+c.Domain); ok && s.Namespace == "" {
		if err := t.read(name); err != nil {
			return target{}, fmt.Errorf("consul: %s: %w: %w", s.Host, discovery.ErrUnknown, err)
		}
	}
	return t, nil
}

// within are the places, each with the namespace.
func within(places []Place, namespace string) []Place {
	places = slices.Clone(places)
	for i := range places {
		places[i].Namespace = namespace
	}
	return places
}

var errHost = errors.New("want [tag.]name.service[.datacenter] or name.query[.datacenter] before the domain")

// read takes a name of Consul's DNS apart:
//
//	[<tag>.]<service>.service[.<datacenter>[.dc]].<domain>
//	<query>.query[.<datacenter>[.dc]].<domain>
//
// https://developer.hashicorp.com/consul/docs/services/discovery/dns-static-lookups
func (t *target) read(name string) error {
	parts := strings.Split(name, ".")
	kind := len(parts) - 1 // the last that can be: services, too, are called query
	for kind >= 0 && parts[kind] != "service" && parts[kind] != "query" {
		kind--
	}
	if kind < 1 {
		return errHost
	}
	t.query = parts[kind] == "query"
	if err := t.readPlace(parts[kind+1:]); err != nil {
		return err
	}
	t.name = parts[kind-1]
	switch front := parts[:kind-1]; {
	case t.query:
		t.name = strings.Join(parts[:kind], ".") // prepared queries may have dots
	case len(front) > 0:
		t.tag = strings.Join(front, ".")
	}
	return nil
}

func (t *target) readPlace(parts []string) error {
	if len(parts) == 2 && parts[1] == "dc" {
		parts = parts[:1]
	}
	switch len(parts) {
	case 0:
		return nil
	case 1:
		here := t.places[0]
		t.places = []Place{{Datacenter: parts[0], Namespace: here.Namespace, Partition: here.Partition}}
		return nil
	}
	return errHost
}

// String is what faults call the target.
func (t target) String() string {
	switch {
	case t.query:
		return fmt.Sprintf("prepared query %q", t.name)
	case t.tag != "":
		return fmt.Sprintf("service %q with tag %q", t.name, t.tag)
	}
	return fmt.Sprintf("service %q", t.name)
}
