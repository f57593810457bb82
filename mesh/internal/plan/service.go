package plan

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A Service is what ServiceEntries say of one host.
type Service struct {
	Host       string
	Namespace  string
	Rule       *rules.Meta // of the first
	Resolution networking.ServiceEntry_Resolution
	External   bool
	Ports      []Port

	written   string         // host as the entry has it; "": a wildcard
	addresses []netip.Prefix // by which it may be dialled
	entries   []entry
	identity  []string // expected SANs
	accounts  string   // what the identities of its service accounts begin with
}

// An entry is what one ServiceEntry says of a service's endpoints.
type entry struct {
	ports     []Port
	selects   bool // the endpoints are the workloads that it selects, be there none
	endpoints []*networking.WorkloadEntry
}

// A Port is one port of a service.
type Port struct {
	Number, Target uint16
	Name, Protocol string
}

// A serviceHost is a host that a service entry names.
type serviceHost struct {
	name    string // canonical
	written string // as the entry has it, but for the case; "": a wildcard
	entries []int  // places in the set of the ServiceEntry, and of those that are merged with it
}

// serviceHosts gathers the hosts of all visible service entries. A host that
// several entries name belongs to the first of those for the fewest namespaces, and
// to those that make one service with it.
func serviceHosts(all []*rules.ServiceEntry, b *basis) (hosts []serviceHost, places map[string]int) {
	places = make(map[string]int, len(all))
	var classes [3][]int
	for i, se := range all {
		if class, ok := visibility(se.Spec.ExportTo, se.Namespace, b.workload.Namespace); ok {
			classes[class] = append(classes[class], i)
		}
	}
	for _, i := range slices.Concat(classes[0], classes[1], classes[2]) {
		for _, host := range all[i].Spec.Hosts {
			// Off Kubernetes there is no other way to name a cluster-local service:
			// a host without a dot is one of the entry's own namespace.
			name := b.names.canonical(host, all[i].Namespace)
			if at, taken := places[name]; !taken {
				places[name], hosts = len(hosts), append(hosts, serviceHost{name, literal(host), []int{i}})
			} else {
				hosts[at].join(all, i)
			}
		}
	}
	return hosts, places
}

// join adds an entry that makes one service with the first.
func (h *serviceHost) join(all []*rules.ServiceEntry, i int) {
	spelledTwice := slices.Contains(h.entries, i)
	if !spelledTwice && rules.SameService(all[h.entries[0]], all[i]) {
		h.entries = append(h.entries, i)
	}
}

// literal is a host as it is written, but for the case and the final dot; "" for a
// wildcard.
func literal(host string) string {
	if _, wild := wildcardSuffix(host); wild {
		return ""
	}
	return normalize(host)
}

// compileServices makes a service of each host, or takes it over where nothing
// that it is made of has changed.
func (p *Plan) compileServices(before *Plan) {
	p.services = make([]*Service, len(p.serviceHosts))
	sameWorkloads := slices.Equal(before.set.WorkloadEntries, p.set.WorkloadEntries)
	for i, h := range p.serviceHosts {
		if p.index == before.index && p.unchanged(before.set, h, sameWorkloads) {
			p.services[i] = before.services[i]
		} else {
			p.services[i] = p.compileService(h)
		}
	}
}

func (p *Plan) unchanged(before *rules.Set, h serviceHost, sameWorkloads bool) bool {
	for _, i := range h.entries {
		se := p.set.ServiceEntries[i]
		if before.ServiceEntries[i] != se || !sameWorkloads && se.Spec.WorkloadSelector != nil {
			return false
		}
	}
	return true
}

func endpointsOf(set *rules.Set, se *rules.ServiceEntry) []*networking.WorkloadEntry {
	if se.Spec.WorkloadSelector != nil {
		return selected(set.WorkloadEntries, se)
	}
	return se.Spec.Endpoints
}

func (p *Plan) compileService(h serviceHost) *Service {
	se := p.set.ServiceEntries[h.entries[0]]
	s := &Service{
		Host:       h.name,
		written:    h.written,
		Namespace:  se.Namespace,
		Rule:       &se.Meta,
		Resolution: se.Spec.Resolution,
		External:   se.Spec.Location == networking.ServiceEntry_MESH_EXTERNAL,
		identity:   se.Spec.SubjectAltNames,
		accounts:   "spiffe://" + p.trustDomain + "/ns/" + se.Namespace + "/sa/",
	}
	for _, i := range h.entries {
		s.add(p.set.ServiceEntries[i], endpointsOf(p.set, p.set.ServiceEntries[i]))
	}
	return s
}

// add makes a ServiceEntry one of the service's. Of ports with one number the first
// counts.
func (s *Service) add(se *rules.ServiceEntry, endpoints []*networking.WorkloadEntry) {
	for _, a := range prefixes(se.Spec.Addresses) {
		if !slices.Contains(s.addresses, a) {
			s.addresses = append(s.addresses, a)
		}
	}
	ports := portsOf(se.Spec)
	s.entries = append(s.entries, entry{ports, se.Spec.WorkloadSelector != nil, endpoints})
	for _, port := range ports {
		if _, taken := s.port(port.Number); !taken {
			s.Ports = append(s.Ports, port)
		}
	}
}

func portsOf(spec *networking.ServiceEntry) (out []Port) {
	for _, p := range spec.Ports {
		out = append(out, Port{uint16(p.Number), uint16(cmp.Or(p.TargetPort, p.Number)), p.Name, strings.ToUpper(p.Protocol)})
	}
	return out
}

// selected are the workload entries of the namespace that have the labels. The
// labels of the object win over those of its spec.
func selected(all []*rules.WorkloadEntry, se *rules.ServiceEntry) []*networking.WorkloadEntry {
	var out []*networking.WorkloadEntry
	for _, we := range all {
		if we.Namespace != se.Namespace {
			continue
		}
		labels := map[string]string{}
		for _, m := range []map[string]string{we.Spec.Labels, we.Labels} {
			for k, v := range m {
				labels[k] = v
			}
		}
		if SubsetOf(se.Spec.WorkloadSelector.Labels, labels) {
			entry := &networking.WorkloadEntry{
				Address: we.Spec.Address, Ports: we.Spec.Ports, Labels: labels, Network: we.Spec.Network,
				Locality: we.Spec.Locality, Weight: we.Spec.Weight, ServiceAccount: we.Spec.ServiceAccount,
			}
			out = append(out, entry)
		}
	}
	return out
}

// port finds a port by number.
func (s *Service) port(number uint16) (Port, bool) { return findPort(s.Ports, number) }

func findPort(ports []Port, number uint16) (Port, bool) {
	for _, p := range ports {
		if p.Number == number {
			return p, true
		}
	}
	return Port{}, false
}

// defaultPort is what a URL without a port means: the only port, else the one
// named like the scheme, else the scheme's own, else the one named http. A gRPC target
// means a port declared or named so, else what http means. None is 0. It may be
// called on nil.
func (s *Service) defaultPort(of Protocol) uint16 {
	if s == nil {
		return 0
	}
	if len(s.Ports) == 1 {
		return s.Ports[0].Number
	}
	switch of {
	case HTTPS:
		own, _ := s.port(schemePort("https"))
		return cmp.Or(s.portNamed("https"), own.Number, s.portNamed("http"))
	case GRPC:
		return cmp.Or(s.portDeclared("GRPC"), s.portNamed("grpc"), s.defaultPort(HTTP))
	}
	own, _ := s.port(schemePort("http"))
	return cmp.Or(s.portNamed("http"), own.Number)
}

// portDeclared is 0 if there is none.
func (s *Service) portDeclared(protocol string) uint16 {
	for _, p := range s.Ports {
		if p.Protocol == protocol {
			return p.Number
		}
	}
	return 0
}

// portNamed is 0 if there is none.
func (s *Service) portNamed(name string) uint16 {
	for _, p := range s.Ports {
		if p.Name == name {
			return p.Number
		}
	}
	return 0
}

func schemePort(scheme string) uint16 {
	if scheme == "https" {
		return 443
	}
	return 80
}

// perRequest says that the endpoints are those of the name that the request
// asks for, not of the entry.
func (s *Service) perRequest() bool {
	return s != nil && (s.Resolution == networking.ServiceEntry_NONE || s.Resolution == networking.ServiceEntry_DYNAMIC_DNS)
}

// Endpoints are the addresses behind a service port, for a request that asks for
// host. With DNS resolution their hosts are names, to be looked up; without
// endpoints of its own the service is its own name.
func (s *Service) Endpoints(host string, number uint16) (out []discovery.Endpoint) {
	for i := range s.entries {
		if port, ok := s.portOf(&s.entries[i], number); ok {
			out = s.appendEndpoints(out, &s.entries[i], host, port)
		}
	}
	return out
}

// portOf is the port of an entry. A service without ports takes any, and where none
// is asked for the first will do.
func (s *Service) portOf(e *entry, number uint16) (Port, bool) {
	switch {
	case len(s.Ports) == 0:
		return Port{Number: number, Target: cmp.Or(number, schemePort("http"))}, true
	case number == 0 && len(e.ports) > 0:
		return e.ports[0], true
	}
	return findPort(e.ports, number)
}

func (s *Service) appendEndpoints(out []discovery.Endpoint, of *entry, host string, port Port) []discovery.Endpoint {
	for _, e := range of.endpoints {
		if e.Network == "" && e.Address != "" {
			out = append(out, s.endpoint(e, port))
		}
	}
	if len(of.endpoints) > 0 || of.selects || s.Resolution == networking.ServiceEntry_STATIC {
		return out
	}
	address := net.JoinHostPort(s.reachedBy(host), strconv.Itoa(int(port.Target)))
	if slices.ContainsFunc(out, func(e discovery.Endpoint) bool { return e.Address == address }) {
		return out // another entry says so too
	}
	return append(out, discovery.Endpoint{Address: address})
}

// reachedBy is the name to look up for a request that asks for host: a short name is
// looked up as the entry has it, as in Istio. It may be called on nil.
func (s *Service) reachedBy(host string) string {
	if s == nil {
		return host
	}
	return cmp.Or(s.written, host)
}

// many says that the service is dialled by more than one address. It may be called
// on nil.
func (s *Service) many() bool {
	return s != nil && (len(s.addresses) > 1 || len(s.addresses) == 1 && !s.addresses[0].IsSingleIP())
}

// Resolves says that all addresses behind the endpoints' names are endpoints.
// DNS_ROUND_ROBIN is not that: its one name is looked up for each connection.
func (s *Service) Resolves() bool {
	return s.Resolution == networking.ServiceEntry_DNS || s.Resolution == networking.ServiceEntry_DYNAMIC_DNS
}

// endpoint: the port is the endpoint's own of that name, else the service's
// target port.
func (s *Service) endpoint(e *networking.WorkloadEntry, port Port) discovery.Endpoint {
	address := e.Address
	if !strings.HasPrefix(address, "unix://") {
		number := port.Target
		if own, ok := e.Ports[port.Name]; ok {
			number = uint16(own)
		}
		address = net.JoinHostPort(address, strconv.Itoa(int(number)))
	}
	return discovery.Endpoint{Address: address, Labels: e.Labels, Locality: localityOf(e.Locality), Weight: e.Weight, Identity: s.identityOf(e)}
}

// localityOf reads region/zone/subzone; more parts mean nothing, to Istio neither.
func localityOf(text string) discovery.Locality {
	parts := append(strings.Split(text, "/"), "", "")
	return discovery.Locality{Region: parts[0], Zone: parts[1], Subzone: parts[2]}
}

// identityOf is what a service account proves, whether or not it makes a valid
// one: an endpoint that must prove something impossible is not spoken to.
func (s *Service) identityOf(e *networking.WorkloadEntry) string {
	if e.ServiceAccount == "" {
		return ""
	}
	return s.accounts + e.ServiceAccount
}
