package plan_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// dice generate valid rules and requests from few words, so that they meet often.
type dice struct{ *rand.Rand }

type object = map[string]any

func seeded(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 7))} }

func (d dice) percent(p int) bool { return d.IntN(100) < p }

func pick[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

// put sets a field in p percent of the cases.
func (d dice) put(o object, p int, field string, value func() any) {
	if d.percent(p) {
		o[field] = value()
	}
}

// world generates rules and the caller that they are for.
func (d dice) world(t testing.TB) naive {
	t.Helper()
	var text strings.Builder
	for i := range 1 + d.IntN(5) {
		write(&text, d.virtualService(i))
	}
	for i := range d.IntN(4) {
		write(&text, d.serviceEntry(i))
	}
	for i := range d.IntN(3) {
		write(&text, d.destinationRule(i))
	}
	set, err := rules.Parse("generated.json", []byte(text.String()))
	if err != nil {
		t.Fatalf("the generator made rules that are not valid: %v\n%s", err, text.String())
	}
	labels := map[string]string{"app": pick(d, "a", "b"), "version": pick(d, "v1", "v2")}
	return naive{set, plan.Workload{Namespace: pick(d, "default", "prod"), Labels: labels}}
}

func write(text *strings.Builder, o object) {
	data, _ := json.Marshal(o)
	text.Write(append(data, '\n'))
}

func (d dice) rule(kind string, i int, spec object) object {
	d.put(spec, 25, "exportTo", func() any {
		return pick(d, []string{"."}, []string{"*"}, []string{"prod"}, []string{"default", "prod"}, []string{"elsewhere"}, []string{"default"})
	})
	return object{
		"apiVersion": "networking.istio.io/v1", "kind": kind, "spec": spec,
		"metadata": object{
			"name": fmt.Sprint("r", i), "namespace": pick(d, "default", "default", "prod", "other"),
			"creationTimestamp": fmt.Sprintf("2026-01-%02dT00:00:00Z", 1+d.IntN(28)),
		},
	}
}

var hostWords = []string{
	"reviews", "ratings", "REVIEWS", "reviews.prod.svc.cluster.local", "reviews.default.svc.cluster.local", "reviews.prod",
	"api.example.com", "Api.Example.com.", "v1.api.example.com", "*.example.com", "*.api.example.com", "*.com",
	"*.default.svc.cluster.local", "*.cluster.local",
}

// hosts of one rule may not overlap.
func (d dice) hosts(words ...string) (out []string) {
	for range 1 + d.IntN(3) {
		h := pick(d, words...)
		if !slices.ContainsFunc(out, func(o string) bool { return o == h || overlaps(o, h) || overlaps(h, o) }) {
			out = append(out, h)
		}
	}
	return out
}

func overlaps(pattern, name string) bool {
	return pattern[0] == '*' && strings.HasSuffix(name, pattern[1:])
}

func (d dice) virtualService(i int) object {
	spec := object{"hosts": d.hosts(append(hostWords, "10.0.0.1")...), "http": d.list(4, d.httpRoute)}
	d.put(spec, 20, "gateways", func() any {
		return pick(d, []string{"mesh"}, []string{"edge", "mesh"}, []string{"edge"})
	})
	return d.rule("VirtualService", i, spec)
}

// list makes 1 to n elements.
func (d dice) list(n int, of func() any) (out []any) {
	for range 1 + d.IntN(n) {
		out = append(out, of())
	}
	return out
}

func (d dice) httpRoute() any {
	r := object{"route": []object{{"destination": object{"host": "upstream"}}}}
	d.put(r, 85, "match", func() any { return d.list(3, d.match) })
	return r
}

func (d dice) match() any {
	m := object{}
	d.put(m, 60, "uri", func() any {
		return d.stringMatch([]string{"/", "/a", "/A", "/a/b", ""}, []string{"/", "/a", "/A/", ""}, []string{".*", "/a.*", "/(a|b)", "a|/b", "(?i)/A", `\Q/a`})
	})
	d.put(m, 25, "ignoreUriCase", func() any { return true })
	d.put(m, 10, "scheme", func() any {
		return d.stringMatch([]string{"http", "https"}, []string{"http"}, []string{"https?", "http"})
	})
	d.put(m, 20, "method", func() any {
		return d.stringMatch([]string{"GET", "POST", "get"}, []string{"P"}, []string{"GET|POST"})
	})
	d.put(m, 10, "authority", func() any {
		return d.stringMatch([]string{"reviews", "reviews:9080"}, []string{"rev", "api"}, []string{".*:[0-9]+"})
	})
	d.put(m, 25, "headers", func() any { return d.headerMatches(d.headerMatch) })
	d.put(m, 20, "withoutHeaders", func() any { return d.headerMatches(d.withoutMatch) })
	d.put(m, 15, "queryParams", func() any { return d.queryMatches() })
	d.put(m, 10, "port", func() any { return pick(d, 80, 443, 9080, 9090) })
	d.putSource(m)
	return m
}

func (d dice) putSource(m object) {
	d.put(m, 10, "sourceLabels", func() any {
		return pick(d, object{"app": "a"}, object{"version": "v1", "app": "b"}, object{}, object{"tier": "x"})
	})
	d.put(m, 8, "sourceNamespace", func() any { return pick(d, "default", "prod") })
	d.put(m, 8, "gateways", func() any {
		return pick(d, []string{"mesh"}, []string{"edge"}, []string{"edge", "mesh"})
	})
}

func (d dice) stringMatch(exact, prefix, regex []string) object {
	switch d.IntN(7) {
	case 0:
		return object{}
	case 1, 2:
		return object{"exact": pick(d, exact...)}
	case 3, 4:
		return object{"prefix": pick(d, prefix...)}
	}
	return object{"regex": pick(d, regex...)}
}

func (d dice) headerMatch() object {
	return d.stringMatch([]string{"alice", "", "a,b", "GET", "/a"}, []string{"al", "a", "/a"}, []string{"a.*|bob", ".*", "a", "x?"})
}

func (d dice) withoutMatch() object {
	if d.percent(15) {
		return object{"regex": "*"}
	}
	return d.headerMatch()
}

func (d dice) headerMatches(match func() object) object {
	out := object{}
	for range 1 + d.IntN(2) {
		out[pick(d, "x-user", "X-Flag", "cookie", "host", ":method", ":path", ":authority", "method")] = match()
	}
	return out
}

func (d dice) queryMatches() object {
	out := object{}
	for range 1 + d.IntN(2) {
		out[pick(d, "q", "page")] = d.stringMatch([]string{"1", ""}, []string{"1"}, []string{`\d+`, ".*"})
	}
	return out
}

func (d dice) serviceEntry(i int) object {
	ports := pick(d,
		[]object{{"number": 80, "name": "web", "protocol": "HTTP"}},
		[]object{{"number": 9080, "name": "web", "protocol": "HTTP"}},
		[]object{{"number": 9090, "name": "grpc", "protocol": "GRPC"}, {"number": 9080, "name": "http", "protocol": "HTTP"}},
		[]object{{"number": 443, "name": "https", "protocol": "HTTPS"}, {"number": 80, "name": "http-port", "protocol": "HTTP"}},
		[]object{{"number": 9090, "name": "grpc", "protocol": "GRPC"}, {"number": 9080, "name": "web", "protocol": "HTTP"}})
	return d.rule("ServiceEntry", i, object{"hosts": d.hosts(hostWords...), "ports": ports, "resolution": "STATIC",
		"location": pick(d, "MESH_EXTERNAL", "MESH_EXTERNAL", "MESH_INTERNAL")})
}

func (d dice) destinationRule(i int) object {
	return d.rule("DestinationRule", i, object{"host": pick(d, hostWords...)})
}

var requestHosts = []string{
	"reviews", "reviews", "ratings", "REVIEWS", "reviews.", "reviews.default", "reviews.prod", "reviews.prod.svc", "reviews.default.svc.cluster.local",
	"reviews.prod.svc.cluster.local.", "api.example.com", "API.example.com", "v1.api.example.com", "x.v1.api.example.com", "example.com",
	"other.com", "10.0.0.1", "unknown", "a.b.cluster.local",
}

func (d dice) request() *plan.Request {
	r := &plan.Request{
		Method:    pick(d, "GET", "GET", "POST", "get"),
		Scheme:    pick(d, "http", "http", "https"),
		Authority: pick(d, requestHosts...) + pick(d, "", "", "", ":80", ":443", ":9080", ":9090"),
		Path:      pick(d, "/", "/a", "/a/b", "/A", "/b", "/ab", "/A/x"),
		RawQuery:  pick(d, "", "", "q=1", "q", "q=&page=12", "page=1&page=x", "q=1%20", "x=q&&page=7"),
		LowerKeys: d.percent(20),
		Header:    map[string][]string{},
	}
	for _, name := range []string{"x-user", "x-flag", "cookie", "method"} {
		if values := pick(d, nil, nil, []string{"alice"}, []string{""}, []string{"a", "b"}, []string{"bob"}, []string{}); values != nil {
			r.Header[d.headerKey(name, r.LowerKeys)] = values
		}
	}
	return r
}

func (d dice) headerKey(name string, lower bool) string {
	if lower {
		return name
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}
