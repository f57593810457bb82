package plan_test

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A naive plan answers as the rules' documentation reads: it compiles nothing,
// keeps no index and goes through all rules for every request.
type naive struct {
	set      *rules.Set
	workload plan.Workload
}

// An answer is what becomes of a request.
type answer struct {
	known bool   // some rule names the host
	rule  string // namespace/name of the VirtualService whose route matches; "" is none, or the default route
	field string // of the route in it; "" for the default, noMatch if none matches
}

const (
	domain  = ".svc.cluster.local"
	noMatch = "none"
)

func (n naive) answer(r *plan.Request) answer {
	written, port := authorityOf(r.Authority)
	name, known := n.resolve(written)
	if !known {
		return answer{}
	}
	if port == 0 {
		port = n.defaultPort(name, r)
	}
	for _, vs := range n.candidates(name) {
		switch field := n.routeOf(vs, r, port); field {
		case "":
		case noMatch:
			return answer{true, "", noMatch}
		default:
			return answer{true, vs.Namespace + "/" + vs.Name, field}
		}
	}
	return answer{known: true}
}

// authorityOf takes an authority apart: "port stripped, case-folded", without a
// trailing dot.
func authorityOf(authority string) (host string, port int) {
	host = strings.ToLower(authority)
	if i := strings.LastIndex(host, ":"); i >= 0 {
		host, port = host[:i], number(host[i+1:])
	}
	return strings.TrimSuffix(host, "."), port
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func fqdn(host, namespace string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if strings.ContainsAny(host, ".*") {
		return host
	}
	return host + "." + namespace + domain
}

// resolve finds the host that a written name stands for: one that is known
// literally, then one that has the name as a spelling, then the name as the
// caller's namespace completes it, if a wildcard covers that.
func (n naive) resolve(written string) (string, bool) {
	hosts := n.hosts()
	if slices.Contains(hosts, written) {
		return written, true
	}
	for _, host := range hosts {
		if slices.Contains(n.spellings(host), written) {
			return host, true
		}
	}
	name := fqdn(written, n.workload.Namespace)
	return name, slices.ContainsFunc(hosts, func(h string) bool { return isWildcardOf(h, name) })
}

// spellings of reviews.prod.svc.cluster.local are reviews.prod.svc and
// reviews.prod, "and — same namespace only — reviews".
func (n naive) spellings(host string) []string {
	parts := strings.Split(host, ".")
	if len(parts) != 5 || !strings.HasSuffix(host, domain) || strings.HasPrefix(host, "*") {
		return nil
	}
	short := parts[0] + "." + parts[1]
	out := []string{short + ".svc", short}
	if parts[1] == n.workload.Namespace {
		out = append(out, parts[0])
	}
	return out
}

// hosts are all that any visible rule names.
func (n naive) hosts() (out []string) {
	for _, se := range n.set.ServiceEntries {
		for _, h := range se.Spec.Hosts {
			if n.sees(se.Spec.ExportTo, se.Namespace) {
				out = append(out, fqdn(h, se.Namespace))
			}
		}
	}
	for _, dr := range n.set.DestinationRules {
		if h := fqdn(dr.Spec.Host, dr.Namespace); n.sees(dr.Spec.ExportTo, dr.Namespace) && h[0] != '*' {
			out = append(out, h)
		}
	}
	for _, vs := range n.virtualServices() {
		for _, h := range vs.Spec.Hosts {
			out = append(out, fqdn(h, vs.Namespace))
		}
	}
	return out
}

func isWildcardOf(pattern, name string) bool {
	return pattern[0] == '*' && len(name) >= len(pattern) && strings.HasSuffix(name, pattern[1:])
}

// sees: "`.` own namespace, `*` all", default all.
func (n naive) sees(exportTo []string, own string) bool {
	return len(exportTo) == 0 || slices.Contains(exportTo, "*") || slices.Contains(exportTo, n.workload.Namespace) ||
		slices.Contains(exportTo, ".") && own == n.workload.Namespace
}

// virtualServices: those of the own namespace that are not public ("exportTo with
// same namespace is effectively private"), then those exported by name to the
// client namespace, then public ones; each list in creation order.
func (n naive) virtualServices() []*rules.VirtualService {
	var private, byName, public []*rules.VirtualService
	for _, vs := range n.set.VirtualServices {
		switch to := vs.Spec.ExportTo; {
		case len(vs.Spec.Gateways) > 0 && !slices.Contains(vs.Spec.Gateways, "mesh"):
		case !n.sees(to, vs.Namespace):
		case len(to) == 0 || slices.Contains(to, "*"):
			public = append(public, vs)
		case vs.Namespace == n.workload.Namespace:
			private = append(private, vs)
		default:
			byName = append(byName, vs)
		}
	}
	return slices.Concat(private, byName, public)
}

// candidates are those that name the host; if there are none, those of the most
// specific wildcard.
func (n naive) candidates(name string) []*rules.VirtualService {
	best := ""
	var out []*rules.VirtualService
	for _, vs := range n.virtualServices() {
		for _, h := range vs.Spec.Hosts {
			host := fqdn(h, vs.Namespace)
			if host != name && !isWildcardOf(host, name) {
				continue
			}
			if better(host, best) {
				best, out = host, nil
			}
			if host == best {
				out = append(out, vs)
			}
		}
	}
	return out
}

// better: exact beats wildcard, and of two wildcards the longer.
func better(host, than string) bool {
	if than == "" || host[0] == '*' != (than[0] == '*') {
		return than == "" || than[0] == '*'
	}
	return len(host) > len(than)
}

// defaultPort: the service's only port, or its port named like the scheme, or the
// scheme's own if it has that, or the one named http; else the scheme's. gRPC prefers
// a port that is declared or named so.
func (n naive) defaultPort(name string, r *plan.Request) int {
	scheme, schemes := r.Scheme, map[string]int{"http": 80, "https": 443}
	if r.LowerKeys {
		scheme = "http"
	}
	own := schemes[scheme]
	named, numbers := map[string]int{}, map[int]string{}
	for _, se := range n.service(name) {
		for _, p := range se.Spec.Ports {
			number := int(p.Number)
			if _, taken := numbers[number]; taken {
				continue
			}
			numbers[number] = p.Name
			if p.Protocol == "GRPC" && named["GRPC"] == 0 {
				named["GRPC"] = number
			}
			if _, taken := named[p.Name]; !taken {
				named[p.Name] = number
			}
		}
	}
	if len(numbers) == 1 {
		return slices.Collect(maps.Keys(numbers))[0]
	}
	if speaks := cmp.Or(named["GRPC"], named["grpc"]); r.LowerKeys && speaks != 0 {
		return speaks
	}
	if _, has := numbers[own]; has {
		return cmp.Or(named[scheme], own)
	}
	return cmp.Or(named[scheme], named["http"], schemes[r.Scheme])
}

// serviceEntries are those that are seen, in the order of virtualServices.
func (n naive) serviceEntries() []*rules.ServiceEntry {
	var private, byName, public []*rules.ServiceEntry
	for _, se := range n.set.ServiceEntries {
		switch to := se.Spec.ExportTo; {
		case !n.sees(to, se.Namespace):
		case len(to) == 0 || slices.Contains(to, "*"):
			public = append(public, se)
		case se.Namespace == n.workload.Namespace:
			private = append(private, se)
		default:
			byName = append(byName, se)
		}
	}
	return slices.Concat(private, byName, public)
}

// service is the first entry of the host, else of the longest wildcard, and those that
// are merged with it.
func (n naive) service(name string) (out []*rules.ServiceEntry) {
	best := ""
	for _, se := range n.serviceEntries() {
		for _, h := range se.Spec.Hosts {
			switch host := fqdn(h, se.Namespace); {
			case host != name && !isWildcardOf(host, name):
			case better(host, best):
				best, out = host, []*rules.ServiceEntry{se}
			case host == best && rules.SameService(out[0], se):
				out = append(out, se)
			}
		}
	}
	return out
}

// routeOf returns the field of the first route that matches, noMatch if none
// does, and "" if the rule has no route for this caller and port at all.
func (n naive) routeOf(vs *rules.VirtualService, r *plan.Request, port int) string {
	out := ""
	for i, spec := range vs.Spec.Http {
		open := len(spec.Match) == 0
		matched := open
		for _, m := range spec.Match {
			if n.static(m, port) {
				open = true
				matched = matched || matches(m, r)
			}
		}
		if matched {
			return "spec.http[" + strconv.Itoa(i) + "]"
		}
		if open {
			out = noMatch
		}
	}
	return out
}
