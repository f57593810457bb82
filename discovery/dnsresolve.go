package discovery

import (
	"context"
	"errors"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A lookup asks one question. The ttl is that of the records that made the
// answer. A name that does not exist is a *net.DNSError with IsNotFound.
type lookup interface {
	addresses(ctx context.Context, name string) ([]netip.Addr, ttl, error)
	services(ctx context.Context, name string) ([]*net.SRV, ttl, error)
}

// resolve finds the endpoints of s, sorted by address.
func (d *DNS) resolve(ctx context.Context, s Service) ([]Endpoint, ttl, error) {
	for _, host := range []string{s.Host, s.Name} {
		if fixed(host) {
			return Addresses(d.hostPort(host, s)), ttl{}, nil
		}
	}
	for _, name := range names(s) {
		endpoints, t, err := d.resolveName(ctx, name, s)
		if !notFound(err) {
			return endpoints, t, err
		}
	}
	return nil, ttl{}, unknown(s.Host)
}

func (d *DNS) resolveName(ctx context.Context, name string, s Service) ([]Endpoint, ttl, error) {
	switch {
	case strings.HasPrefix(name, "_"):
		return d.resolveSRV(ctx, name, s)
	case d.config.SRV != "":
		return d.resolveSRV(ctx, d.config.SRV+"."+name, s)
	}
	addrs, t, err := d.lookup.addresses(ctx, name)
	if err != nil {
		return nil, ttl{}, err
	}
	if d.config.Logical {
		return Addresses(d.hostPort(name, s)), t, nil
	}
	port := d.port(s)
	var set weighted
	for _, a := range addrs {
		set.add(netip.AddrPortFrom(a.Unmap(), port), 0)
	}
	return set.endpoints(), t, nil
}

// names are the spellings of a service, in the order in which to try them. The
// trailing dot keeps the search list out.
func names(s Service) []string {
	if s.Namespace == "" {
		return []string{s.Host}
	}
	return []string{s.Host + ".", s.Name + "."}
}

// fixed reports whether host needs no asking. RFC 6761, section 6.3: "Name
// resolution APIs and libraries SHOULD recognize localhost names as special and
// SHOULD always return the IP loopback address for address queries". It is left
// to the dialler which one: a server rarely listens on both.
func fixed(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func (d *DNS) hostPort(host string, s Service) string {
	return net.JoinHostPort(host, strconv.Itoa(int(d.port(s))))
}

func (d *DNS) port(s Service) uint16 {
	if s.Port == 0 {
		return d.config.Port
	}
	return s.Port
}

func notFound(err error) bool {
	dns, ok := errors.AsType[*net.DNSError](err)
	return ok && dns.IsNotFound
}

// resolveSRV follows RFC 2782: "A client MUST attempt to contact the target
// host with the lowest-numbered priority it can reach".
func (d *DNS) resolveSRV(ctx context.Context, name string, s Service) ([]Endpoint, ttl, error) {
	records, t, err := d.lookup.services(ctx, name)
	if err != nil {
		return nil, ttl{}, err
	}
	slices.SortFunc(records, func(a, b *net.SRV) int { return int(a.Priority) - int(b.Priority) })
	var set weighted
	for i, r := range records {
		if i > 0 && r.Priority != records[i-1].Priority && len(set) > 0 {
			break
		}
		if r.Port == 0 {
			r.Port = d.port(s)
		}
		lasts, err := d.addTarget(ctx, &set, r)
		if err != nil {
			return nil, ttl{}, err
		}
		t = t.and(lasts)
	}
	return set.endpoints(), t, nil
}

// addTarget adds the addresses of one record. A target that does not exist is
// left out. RFC 2782: "A Target of "." means that the service is decidedly not
// available at this domain."
func (d *DNS) addTarget(ctx context.Context, set *weighted, r *net.SRV) (ttl, error) {
	if r.Target == "." {
		return ttl{}, nil
	}
	addrs, t, err := d.lookup.addresses(ctx, r.Target)
	if notFound(err) {
		return ttl{}, nil
	}
	for _, a := range addrs {
		set.add(netip.AddrPortFrom(a.Unmap(), r.Port), uint32(r.Weight))
	}
	return t, err
}

// A weighted set has each address once, with the sum of its records' weights.
type weighted map[netip.AddrPort]uint32

func (w *weighted) add(a netip.AddrPort, weight uint32) {
	if *w == nil {
		*w = make(weighted)
	}
	sum := uint64((*w)[a]) + uint64(weight)
	(*w)[a] = uint32(min(sum, math.MaxUint32))
}

func (w weighted) endpoints() []Endpoint {
	endpoints := make([]Endpoint, 0, len(w))
	for a, weight := range w {
		endpoints = append(endpoints, Endpoint{Address: a.String(), Weight: weight})
	}
	slices.SortFunc(endpoints, func(a, b Endpoint) int { return strings.Compare(a.Address, b.Address) })
	return endpoints
}
