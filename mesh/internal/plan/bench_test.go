package plan_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// fleet is the rules of n services: for each a ServiceEntry, a DestinationRule
// with two subsets and a VirtualService with a header route and a split.
func fleet(t testing.TB, n int) *rules.Set {
	t.Helper()
	var text strings.Builder
	for i := range n {
		host := fmt.Sprint("service-", i)
		write(&text, ruleObject("ServiceEntry", host, object{
			"hosts": []string{host}, "resolution": "STATIC", "ports": []object{{"number": 9080, "name": "http", "protocol": "HTTP"}},
			"endpoints": []object{{"address": "10.0.0.1", "labels": object{"version": "v1"}}, {"address": "10.0.0.2", "labels": object{"version": "v2"}}}}))
		write(&text, ruleObject("DestinationRule", host, object{
			"host":          host,
			"trafficPolicy": object{"outlierDetection": object{}, "connectionPool": object{"http": object{"http2MaxRequests": 100}}},
			"subsets":       []object{{"name": "v1", "labels": object{"version": "v1"}}, {"name": "v2", "labels": object{"version": "v2"}}}}))
		write(&text, ruleObject("VirtualService", host, object{
			"hosts": []string{host},
			"http": []object{
				{"match": []object{{"headers": object{"x-user": object{"exact": "tester"}}}}, "route": []object{{"destination": object{"host": host, "subset": "v2"}}}},
				{"route": []object{
					{"destination": object{"host": host, "subset": "v1"}, "weight": 90},
					{"destination": object{"host": host, "subset": "v2"}, "weight": 10}}}}}))
	}
	set, err := new(rules.Parser).Parse(texts(text.String())...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func ruleObject(kind, name string, spec object) object {
	return object{"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": object{"name": name}, "spec": spec}
}

// texts are files of at most a few megabytes.
func texts(all string) (out []rules.Text) {
	for i := 0; all != ""; i++ {
		end := len(all)
		if end > 4<<20 {
			end = strings.LastIndexByte(all[:4<<20], '\n') + 1
		}
		out = append(out, rules.Text{Name: fmt.Sprint(i, ".json"), Data: []byte(all[:end])})
		all = all[end:]
	}
	return out
}

// ask looks a host of the fleet up, as a request does.
func ask(p *plan.Plan, r *plan.Request) *plan.Route {
	target := p.Lookup(r.Authority)
	return target.Match(r, target.Port)
}

// A changed rule is in force when the first request has asked for its host.
func BenchmarkCompile(b *testing.B) {
	for _, services := range []int{10, 3_333, 10_000} {
		set := fleet(b, services)
		r := get("http://service-5/")
		b.Run(fmt.Sprint("objects=", 3*services), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ask(plan.Compile(set, plan.Options{}), r)
			}
		})
	}
}

func BenchmarkLookupAndMatch(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		p := plan.Compile(fleet(b, n), plan.Options{})
		requests := make([]*plan.Request, 10)
		for i := range requests {
			requests[i] = get(fmt.Sprintf("http://service-%d/a/b", rand.IntN(n)))
			requests[i].Header = map[string][]string{"X-User": {"someone"}}
			ask(p, requests[i])
		}
		b.Run(fmt.Sprint("rules=", n), func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				ask(p, requests[i])
				if i++; i == len(requests) {
					i = 0
				}
			}
		})
	}
}

func TestLookupAndMatchAllocateNothing(t *testing.T) {
	p := compile(t,
		virtualService("a", `
hosts: [reviews]
http:
- match: [{uri: {regex: "/x.*"}}, {headers: {x-user: {exact: tester}}, withoutHeaders: {cookie: {}}}, {queryParams: {q: {prefix: "1"}}, method: {exact: POST}}]
  route: [{destination: {host: b.com}}]
- match: [{uri: {prefix: /A}, ignoreUriCase: true}]
  route: [{destination: {host: b.com}}]
- {route: [{destination: {host: b.com, subset: v1}, weight: 9}, {destination: {host: b.com, subset: v2}, weight: 1}]}`),
		answers("wild", `"*.foo.com"`), answers("v6", `"fd00::1"`))
	for _, url := range []string{"http://reviews/a?q=2", "http://reviews:80/b?q=1", "http://reviews.default.svc.cluster.local./b", "http://x.y.foo.com:81/", "http://unknown.com/", "http://[fd00::1]:80/"} {
		r := get(url)
		r.Header = map[string][]string{"X-User": {"someone"}, "Cookie": {"a=b"}}
		allocations := testing.AllocsPerRun(100, func() {
			target := p.Lookup(r.Authority)
			if target.VirtualHost == nil {
				return
			}
			if route := target.Match(r, target.Port); len(route.Destinations) > 0 {
				p.Key(route.Choose(1<<31), target)
			}
		})
		if allocations != 0 {
			t.Errorf("%s: %v allocations, want 0", url, allocations)
		}
	}
}

// What compiling costs grows with the rules, and no faster.
func TestTenTimesTheRulesCostTenTimesTheMemory(t *testing.T) {
	cost := func(services int) float64 {
		set := fleet(t, services)
		return testing.AllocsPerRun(3, func() { plan.Compile(set, plan.Options{}) })
	}
	if few, many := cost(100), cost(1000); many > 10.5*few {
		t.Errorf("%v allocations for 300 rules, %v for 3,000", few, many)
	}
}
