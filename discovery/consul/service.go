package consul

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery"
)

// A Service is an instance to register: the running process. Name and Port are
// needed; the rest may be zero.
type Service struct {
	// Name is the service's, such as "reviews".
	Name string
	// ID tells the instances of an agent apart. "": name-address-port, so that a
	// process that starts again takes the place of the one before.
	ID string
	// Address and Port are where the service listens. An Address of "" is the
	// agent's.
	Address string
	Port    int
	// Tags and Meta become labels: version=v1. nil: none.
	Tags []string
	Meta map[string]string
	// Weight and WarningWeight are the share of traffic of the instance when its
	// checks pass, and when they warn. 0: 1.
	Weight, WarningWeight int
	// Namespace and Partition are those of Consul Enterprise. "": the client's.
	Namespace, Partition string
	// Locality is where it runs; it has no subzone in Consul. Zero: where the
	// agent does.
	Locality discovery.Locality
	// Connect says that it speaks mutual TLS with an identity of Consul's CA.
	// False: it does not.
	Connect bool
	// Check is how Consul learns that it is well. Zero: the process says so.
	Check Check
	// Forget is after how long in a critical state Consul removes it: a process
	// that was killed removes nothing. 0: 10 min. Consul looks every 30 s.
	Forget time.Duration
	// Drain is how long it stays registered, in maintenance, after Close has begun:
	// others stop to send requests to it, and end those under way. 0: 5 s.
	// Negative: not at all.
	Drain time.Duration
}

// A Check is how Consul learns how an instance is. At most one of HTTP and GRPC
// stands; with none the process tells Consul, every two seconds.
type Check struct {
	// TTL is how long Consul believes the process. 0: 15 s. At least 5 s.
	TTL time.Duration
	// HTTP is a URL for the agent to get: 2xx passes, 429 warns.
	HTTP string
	// GRPC is the host:port[/service] of a gRPC health service for the agent to
	// ask.
	GRPC string
	// Interval is how often the agent asks. 0: 5 s.
	Interval time.Duration
	// Timeout is how long it waits for an answer. 0: 3 s.
	Timeout time.Duration
}

const (
	defaultTTL     = 15 * time.Second
	defaultForget  = 10 * time.Minute
	defaultDrain   = 5 * time.Second
	defaultCheck   = 5 * time.Second
	defaultTimeout = 3 * time.Second
	// beatInterval is how often the agent is told that the process lives, or
	// asked whether it knows the service.
	beatInterval = 2 * time.Second
)

func (s Service) withDefaults() Service {
	if s.ID == "" {
		s.ID = s.Name + "-" + net.JoinHostPort(s.Address, strconv.Itoa(s.Port))
	}
	s.Tags, s.Meta = slices.Clone(s.Tags), maps.Clone(s.Meta)
	s.Weight, s.WarningWeight = cmp.Or(s.Weight, 1), cmp.Or(s.WarningWeight, 1)
	s.Forget, s.Drain = cmp.Or(s.Forget, defaultForget), cmp.Or(s.Drain, defaultDrain)
	s.Check.TTL = cmp.Or(s.Check.TTL, defaultTTL)
	s.Check.Interval = cmp.Or(s.Check.Interval, defaultCheck)
	s.Check.Timeout = cmp.Or(s.Check.Timeout, defaultTimeout)
	return s
}

// validate names every field that is out of bounds.
func (s Service) validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("consul: Service: "+format, args...))
	}
	if s.Name == "" {
		fault("Name: there is none")
	}
	if s.Port < 1 || s.Port > 65535 {
		fault("Port: %d: want 1 to 65535", s.Port)
	}
	for _, w := range []int{s.Weight, s.WarningWeight} {
		if w < 0 || w > 65535 {
			fault("Weight, WarningWeight: %d: want 0 to 65535", w)
		}
	}
	if s.Check.HTTP != "" && s.Check.GRPC != "" {
		fault("Check: HTTP and GRPC: want one of them")
	}
	if s.Check.TTL != 0 && s.Check.TTL < 5*time.Second {
		fault("Check.TTL: %v: want 5s or more", s.Check.TTL)
	}
	if s.Forget < 0 || s.Check.Interval < 0 || s.Check.Timeout < 0 {
		fault("Forget, Check.Interval, Check.Timeout: want 0 or more")
	}
	return errors.Join(faults...)
}

// told says that the process tells Consul how it is.
func (c Check) told() bool { return c.HTTP == "" && c.GRPC == "" }

func (s Service) checkID() string { return "service:" + s.ID }

// registration is the service in the agent's words.
func (s Service) registration(status string) *api.AgentServiceRegistration {
	r := &api.AgentServiceRegistration{
		ID: s.ID, Name: s.Name, Address: s.Address, Port: s.Port, Tags: s.Tags, Meta: s.Meta,
		Namespace: s.Namespace, Partition: s.Partition,
		Weights: &api.AgentWeights{Passing: s.Weight, Warning: s.WarningWeight},
		Check:   s.check(status),
	}
	if s.Locality.Region != "" {
		r.Locality = &api.Locality{Region: s.Locality.Region, Zone: s.Locality.Zone}
	}
	if s.Connect {
		r.Connect = &api.AgentServiceConnect{Native: true}
	}
	return r
}

func (s Service) check(status string) *api.AgentServiceCheck {
	c := &api.AgentServiceCheck{
		CheckID: s.checkID(), Name: s.Name + " is well",
		DeregisterCriticalServiceAfter: s.Forget.String(),
	}
	if s.Check.told() {
		c.TTL, c.Status = s.Check.TTL.String(), status
		return c
	}
	c.HTTP, c.GRPC = s.Check.HTTP, s.Check.GRPC
	c.Interval, c.Timeout = s.Check.Interval.String(), s.Check.Timeout.String()
	return c
}
