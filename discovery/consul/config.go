package consul

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/inmesh-go/inmesh/internal/blocking"
)

// A Config says what of Consul's catalogue is a service's. The zero Config works.
type Config struct {
	// Places are where services are looked for, in all of them at once; the first
	// is home. Localities tell their endpoints apart: the region of an endpoint
	// whose node has no locality is its datacenter. Nil: home alone, the zero
	// Place.
	Places []Place
	// Namespaces says that the namespace of a cluster-local host is Consul's too,
	// as Consul Enterprise has them. False: reviews.shop.svc.cluster.local is the
	// service reviews of the Place's namespace, whatever the host's.
	Namespaces bool
	// Connect asks for those instances that speak mutual TLS in Consul's service
	// mesh, proxies and native ones, and expects their identity of it. False:
	// instances as they are registered, and no identity.
	Connect bool
	// Domain is that of Consul's DNS, which agents may change. "": consul.
	Domain string
	// Wait is how long a blocking query waits; the age of what is known is below
	// that while all is well. 0: 30 s. At most 10 min.
	Wait time.Duration
	// Interval is the mean time between two queries for a service that changes all
	// the time. 0: 500 ms.
	Interval time.Duration
	// QueryInterval is how often prepared queries are executed, since they do not
	// block. 0: 5 s.
	QueryInterval time.Duration
	// Hold is for how long a service keeps its last endpoints when Consul says
	// that there are none left. 0: 30 s. Negative: not at all. A mesh does the same
	// with what it is told, for its Config's HoldEmpty more: one of them will do.
	Hold time.Duration
}

const maxWait = 10 * time.Minute

func (c Config) withDefaults() Config {
	if len(c.Places) == 0 {
		c.Places = []Place{{}}
	}
	c.Domain = cmp.Or(c.Domain, "consul")
	c.QueryInterval = cmp.Or(c.QueryInterval, 5*time.Second)
	return c
}

// validate names every field that is out of bounds.
func (c Config) validate() error {
	var faults []error
	for _, d := range []struct {
		name string
		time.Duration
	}{{"Wait", c.Wait}, {"Interval", c.Interval}, {"QueryInterval", c.QueryInterval}} {
		if d.Duration < 0 || d.Duration > maxWait {
			faults = append(faults, fmt.Errorf("consul: %s: %v: want 0 to %v", d.name, d.Duration, maxWait))
		}
	}
	seen := map[Place]int{}
	for i, p := range c.Places {
		if first, ok := seen[p]; ok {
			faults = append(faults, fmt.Errorf("consul: Places[%d]: the same as Places[%d]", i, first))
			continue
		}
		if c.Connect && p.Peer != "" {
			faults = append(faults, fmt.Errorf("consul: Places[%d]: Connect, and peer %s: the identities of a peer's services are not known here", i, p.Peer))
		}
		seen[p] = i
	}
	return errors.Join(faults...)
}

// blocking is how a target is asked for in a place.
func (c *Config) blocking(t target, p Place) blocking.Config {
	b := blocking.Config{Options: p.options(), Wait: c.Wait, Interval: c.Interval}
	if t.query {
		b.Interval = c.QueryInterval
	}
	return b
}
