package discovery

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"strings"
	"time"
)

// DNSConfig says how a DNS source asks. The zero value asks the servers of
// resolv.conf for A and AAAA records.
type DNSConfig struct {
	// Server is the "ip:port" of the one server to ask; "" means those of
	// resolv.conf. The hosts file and the search list count in both cases.
	Server string
	// Network is "ip4" for A records only, "ip6" for AAAA only; "" or "ip"
	// means both. An answer is whole or it is an error: where a server answers
	// A but fails AAAA, say "ip4".
	Network string
	// Port is the port of endpoints where the Service asks for none; 0 means 80.
	Port uint16
	// SRV is the service and protocol to ask SRV records for, such as
	// "_http._tcp". Ports and weights are then the records' (port 0: that of the
	// Service, or Port), and only the targets of the first priority that has an
	// address are used. "" means
	// A and AAAA records. A Host that itself begins with "_" is always asked
	// for SRV records.
	SRV string
	// Logical makes the service one endpoint whose address is its name, to be
	// resolved anew for each connection, as Envoy's LOGICAL_DNS and Istio's
	// DNS_ROUND_ROBIN have it: when the records change, no connection is
	// dropped. It cannot be used with Server or SRV, for the dialler asks by
	// its own means. False means one endpoint for each address (STRICT_DNS).
	Logical bool

	// MinTTL and MaxTTL bound for how long an answer is kept, whatever its
	// records say; 0 means 1 s and 5 min. DefaultTTL is for answers without
	// records, from the hosts file; 0 means 5 s.
	MinTTL, MaxTTL, DefaultTTL time.Duration
	// MaxBackoff is the longest wait before asking again when there was no
	// answer or no such name: the waits are random, below 1 s at first and
	// doubling. 0 means 60 s, Istio's refresh rate.
	MaxBackoff time.Duration
	// Timeout bounds each question with all its retries; 0 means 10 s.
	Timeout time.Duration
}

// DNS is a Source that asks the Domain Name System, again when an answer's TTL
// has passed. Watchers of one service share its questions.
//
// A cluster-local service is asked for by its Host and, if there is no such
// name, by its short Name, both without the search list: it could find another
// service by the same name. Any other Host is resolved as net.Dial would. An IP
// needs no asking, and "localhost" stays a name, for the dialler to try both
// families. A name that does not exist or has no address is ErrUnknown.
type DNS struct {
	config DNSConfig
	lookup lookup
	shared Source
}

// NewDNS returns a DNS source. It asks nothing before it is watched.
func NewDNS(config DNSConfig) (*DNS, error) {
	if err := config.validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	return newDNS(config, &resolver{config.Server, config.Network}), nil
}

func newDNS(config DNSConfig, l lookup) *DNS {
	d := &DNS{config: config, lookup: l}
	d.shared = Share(refreshed{d})
	return d
}

// Watch implements Source.
func (d *DNS) Watch(ctx context.Context, s Service) iter.Seq2[[]Endpoint, error] {
	return d.shared.Watch(ctx, s)
}

func (c DNSConfig) validate() error {
	var faults []error
	if _, err := netip.ParseAddrPort(c.Server); c.Server != "" && err != nil {
		faults = append(faults, fmt.Errorf("server %q: want ip:port", c.Server))
	}
	if c.Network != "" && c.Network != "ip" && c.Network != "ip4" && c.Network != "ip6" {
		faults = append(faults, fmt.Errorf("network %q: want ip, ip4 or ip6", c.Network))
	}
	if c.SRV != "" && !isSRVPrefix(c.SRV) {
		faults = append(faults, fmt.Errorf("SRV %q: want _service._protocol, such as _http._tcp", c.SRV))
	}
	if c.Logical && (c.Server != "" || c.SRV != "") {
		faults = append(faults, errors.New("logical: cannot be used with a server or SRV records"))
	}
	faults = append(faults, c.validateTimes()...)
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("discovery DNS: %w", err)
	}
	return nil
}

func (c DNSConfig) validateTimes() (faults []error) {
	for _, d := range []struct {
		name string
		time.Duration
	}{
		{"minimum TTL", c.MinTTL}, {"maximum TTL", c.MaxTTL}, {"default TTL", c.DefaultTTL},
		{"maximum backoff", c.MaxBackoff}, {"timeout", c.Timeout},
	} {
		if d.Duration < 0 {
			faults = append(faults, fmt.Errorf("%s %v: want 0 or more", d.name, d.Duration))
		}
	}
	if d := c.withDefaults(); d.MinTTL > d.MaxTTL {
		faults = append(faults, fmt.Errorf("minimum TTL %v: larger than the maximum, %v", d.MinTTL, d.MaxTTL))
	}
	return faults
}

func isSRVPrefix(s string) bool {
	service, protocol, _ := strings.Cut(s, ".")
	return len(service) > 1 && service[0] == '_' && isLabel(service) &&
		len(protocol) > 1 && protocol[0] == '_' && isLabel(protocol)
}

func (c DNSConfig) withDefaults() DNSConfig {
	if c.Network == "" {
		c.Network = "ip"
	}
	if c.Port == 0 {
		c.Port = 80
	}
	c.MinTTL = orDefault(c.MinTTL, time.Second)
	c.MaxTTL = orDefault(c.MaxTTL, 5*time.Minute)
	c.DefaultTTL = orDefault(c.DefaultTTL, 5*time.Second)
	c.MaxBackoff = orDefault(c.MaxBackoff, time.Minute)
	c.Timeout = orDefault(c.Timeout, 10*time.Second)
	return c
}

func orDefault(d, ifZero time.Duration) time.Duration {
	if d == 0 {
		return ifZero
	}
	return d
}
