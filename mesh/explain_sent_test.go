package mesh_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// dice generate rules and requests from few words, so that they meet often.
type dice struct{ *rand.Rand }

type object = map[string]any

func anyOf[T any](d dice, of ...T) T { return of[d.IntN(len(of))] }

// put sets a field in one of n cases.
func (d dice) put(o object, n int, field string, value func() any) {
	if d.IntN(n) == 0 {
		o[field] = value()
	}
}

func (d dice) text() object {
	return anyOf(d,
		object{"exact": anyOf(d, "/a", "/a/b", "GET", "x", "reviews", "1")}, object{"prefix": anyOf(d, "/", "/a", "x", "r")},
		object{"regex": anyOf(d, "/.*", "x|y", "GET|PUT", ".*views.*")})
}

func (d dice) match() object {
	m := object{}
	d.put(m, 2, "uri", func() any { return d.text() })
	d.put(m, 4, "ignoreUriCase", func() any { return true })
	d.put(m, 4, "method", func() any { return d.text() })
	d.put(m, 6, "authority", func() any { return d.text() })
	d.put(m, 6, "port", func() any { return anyOf(d, 80, 9080) })
	d.put(m, 3, "headers", func() any { return object{anyOf(d, "user", "X-Flag", "absent"): d.text()} })
	d.put(m, 4, "withoutHeaders", func() any { return object{anyOf(d, "user", "x-flag"): d.text()} })
	d.put(m, 4, "queryParams", func() any { return object{anyOf(d, "q", "p"): d.text()} })
	return m
}

func (d dice) route(i int) object {
	r := object{"name": fmt.Sprint("r", i)}
	d.put(r, 1, "match", func() any {
		var all []object
		for range d.IntN(3) {
			all = append(all, d.match())
		}
		return all
	})
	switch d.IntN(8) {
	case 0:
		r["redirect"] = object{"uri": "/elsewhere", "redirectCode": 307}
		return r
	case 1:
		r["directResponse"] = object{"status": 299, "body": object{"string": "hello"}}
		return r
	}
	d.put(r, 4, "rewrite", func() any {
		return anyOf(d, object{"uri": "/b"}, object{"authority": "other"}, object{"uri": "/", "authority": "reviews"})
	})
	d.put(r, 8, "fault", func() any { return object{"abort": object{"httpStatus": 418, "percentage": object{"value": 100}}} })
	d.put(r, 3, "headers", func() any {
		return object{"request": anyOf(d, object{"set": object{"user": "x"}}, object{"remove": []string{"user"}}, object{"add": object{"X-Flag": "/a"}})}
	})
	var to []object
	subsets := anyOf(d, []string{"v1", "v2"}, []string{"v2", "v1"})
	for i := range 1 + d.IntN(2) {
		one := object{"destination": object{"host": anyOf(d, "reviews", "reviews", "ratings"), "subset": subsets[i]}, "weight": 50}
		if i > 0 {
			d.put(one, 3, "headers", func() any { return object{"request": object{"set": object{"user": "y", "Host": "z"}}} })
		}
		to = append(to, one)
	}
	r["route"] = to
	return r
}

func (d dice) operation() object {
	o := object{}
	d.put(o, 2, "paths", func() any { return []string{anyOf(d, "/a", "/a*", "*b", "/", "/b", "/b/b")} })
	d.put(o, 3, "notPaths", func() any { return []string{anyOf(d, "/a", "/b*")} })
	d.put(o, 3, "methods", func() any { return []string{anyOf(d, "GET", "PUT")} })
	d.put(o, 3, "hosts", func() any { return []string{anyOf(d, "reviews*", "other", "*")} })
	if len(o) == 0 {
		o["ports"] = []string{anyOf(d, "80", "81")}
	}
	return o
}

func (d dice) policy(i int) object {
	rule := object{"to": []object{{"operation": d.operation()}}}
	d.put(rule, 3, "when", func() any {
		return []object{{"key": "request.headers[" + anyOf(d, "user", "X-Flag") + "]", "values": []string{anyOf(d, "x", "y", "/a", "*")}}}
	})
	d.put(rule, 4, "from", func() any {
		return []object{{"source": object{anyOf(d, "principals", "notPrincipals"): []string{anyOf(d, "*", "cluster.local/ns/default/sa/productpage")}}}}
	})
	return manifest("security.istio.io/v1", "AuthorizationPolicy", fmt.Sprint("p", i), object{"action": anyOf(d, "ALLOW", "DENY"), "rules": []object{rule}})
}

func manifest(version, kind, name string, spec object) object {
	return object{"apiVersion": version, "kind": kind, "metadata": object{"name": name}, "spec": spec}
}

func (d dice) virtualService(i int) object {
	var routes []object
	ports := d.IntN(2) == 0
	for j := range 1 + d.IntN(5) {
		r := d.route(10*i + j)
		if ports {
			r["match"] = []object{{"port": 80}}
		}
		routes = append(routes, r)
	}
	return manifest("networking.istio.io/v1", "VirtualService", fmt.Sprint("vs", i), object{"hosts": []string{"reviews"}, "http": routes})
}

// rules are valid ones.
func (d dice) rules() (text string) {
	var all []object
	for i := range 1 + d.IntN(2) { // of which the first is for all, or for some ports
		all = append(all, d.virtualService(i))
	}
	if d.IntN(2) == 0 {
		all = append(all, manifest("networking.istio.io/v1", "DestinationRule", "reviews", object{"host": "reviews", "subsets": []object{
			{"name": "v1", "labels": object{"version": "v1"}}, {"name": anyOf(d, "v2", "v3"), "labels": object{"version": "v2"}},
		}}))
	}
	for i := range d.IntN(3) {
		all = append(all, d.policy(i))
	}
	if d.IntN(3) == 0 {
		all = append(all, manifest("security.istio.io/v1", "PeerAuthentication", "all", object{"mtls": object{"mode": anyOf(d, "STRICT", "DISABLE")}}))
	}
	for _, o := range all {
		one, _ := json.Marshal(o)
		text += string(one) + "\n---\n"
	}
	return text
}

func (d dice) request() *http.Request {
	host := anyOf(d, "reviews", "reviews", "reviews:80", "reviews:9080", "reviews.default.svc.cluster.local", "ratings", "nobody.example")
	r, _ := http.NewRequest(anyOf(d, "GET", "GET", "PUT"), "http://"+host+anyOf(d, "/", "/a", "/A", "/a/b", "/a%2Fb", "/b", "/x")+anyOf(d, "", "?q=x", "?p=1&q=/a", "?q=1;p=x"), nil)
	if d.IntN(2) == 0 {
		r.Header.Set("User", anyOf(d, "x", "y", "/a"))
	}
	if d.IntN(3) == 0 {
		r.Header.Set("X-Flag", anyOf(d, "x", "/a"))
	}
	return r
}

// What Explain says of a request is what becomes of it, on this side and, as far as
// policies are concerned, on the other.
func TestExplainSaysWhatIsDone(t *testing.T) {
	for seed := range uint64(50) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { explains(t, dice{rand.New(rand.NewPCG(seed, 1))}) })
	}
}

// A rule without a route for a port does not exist for it: another one leaves the
// request without a route.
func TestARequestWithoutARouteNamesTheRuleOfItsPort(t *testing.T) {
	var text string
	for name, match := range map[string]string{"a": "port: 81", "b": "port: 80, uri: {exact: /a}", "c": "port: 80, uri: {exact: /b}"} {
		text += `
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ` + name + `}
spec: {hosts: [reviews], http: [{match: [{` + match + `}], route: [{destination: {host: reviews}}]}]}`
	}
	m := meshtest.New(t).Mesh(mesh.Config{Rules: rules.Static(text)})
	r, _ := http.NewRequest(http.MethodGet, "http://reviews/", nil)
	_, err := m.Transport(nil).RoundTrip(r)
	if refused, ok := errors.AsType[*mesh.Error](err); !ok || refused.Rule != "default/b" {
		t.Errorf("got %v", err)
	}
	if e := m.Explain(r); e.Rule == nil || e.Rule.Name != "b" {
		t.Errorf("explained: %+v", e)
	}
}

func explains(t *testing.T, d dice) {
	f, text := meshtest.New(t), d.rules()
	for _, at := range []string{"reviews/v1", "reviews/v2", "ratings/v1"} {
		service, version, _ := strings.Cut(at, "/")
		f.StartMesh(mesh.Config{
			Workload: mesh.Workload{Service: service, Labels: meshtest.Labels{"app": service, "version": version}}, Rules: rules.Static(text),
		}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("At", at) }))
	}
	var info mesh.RequestInfo
	c := mesh.Config{Workload: mesh.Workload{Service: "productpage"}, Rules: rules.Static(text)}
	c.Observer.Request = func(i mesh.RequestInfo) { info = i }
	if d.IntN(2) == 0 || strings.Contains(text, "STRICT") {
		c.Identity = f.Identity("productpage")
	}
	m := f.Mesh(c)
	for range 12 {
		r := d.request()
		info = mesh.RequestInfo{}
		e := m.Explain(r)
		resp, err := m.Transport(f.Base()).RoundTrip(r)
		if resp != nil {
			_ = resp.Body.Close()
		}
		if wrong := disagree(&e, &info, resp, err); wrong != "" {
			explained, _ := json.MarshalIndent(e, "", " ")
			t.Fatalf("%s %s %v: %s\nmesh: %+v, %v\nexplained: %s\nrules: %s", r.Method, r.URL, r.Header, wrong, info, err, explained, text)
		}
	}
}

// disagree is what an explanation says otherwise than it came to.
func disagree(e *mesh.Explanation, info *mesh.RequestInfo, resp *http.Response, err error) string {
	if !e.Ours {
		if info.Service != "" {
			return "it was ours"
		}
		return ""
	}
	var matched []string
	for _, r := range e.Routes {
		if r.Matched {
			matched = append(matched, r.Name)
		}
	}
	switch {
	case e.Refused != "":
		return unless(err != nil && err.Error() == e.Refused, "it was not refused so")
	case len(matched) != 1 || matched[0] != info.Route:
		return fmt.Sprint("it took route ", info.Route, ", not ", matched)
	case (e.Rule == nil) != (info.Rule == "") || e.Rule != nil && e.Rule.Namespace+"/"+e.Rule.Name != info.Rule:
		return "it took another rule"
	case strings.HasPrefix(e.Action, "redirect"):
		return unless(resp != nil && e.Action == fmt.Sprint("redirect ", resp.StatusCode, " to ", resp.Header.Get("Location")), "it was not redirected so")
	case strings.HasPrefix(e.Action, "answer"):
		return unless(resp != nil && e.Action == fmt.Sprint("answer ", resp.StatusCode), "it was not answered so")
	case len(e.Faults) > 0:
		return unless(resp != nil && resp.StatusCode == 418, "no fault was injected")
	}
	return disagreeAbout(e, info, resp, err)
}

func disagreeAbout(e *mesh.Explanation, info *mesh.RequestInfo, resp *http.Response, err error) string {
	i := slices.IndexFunc(e.Destinations, func(d mesh.DestinationExplanation) bool {
		return d.Host == info.Destination && d.Subset == info.Subset
	})
	if i < 0 {
		return "it was sent elsewhere"
	}
	to := &e.Destinations[i]
	if to.Missing != "" || len(to.Hosts) == 0 {
		return unless(err != nil, "it was sent where nobody is")
	}
	for _, a := range to.Access {
		if slices.Contains(a.Endpoints, info.Endpoint) {
			return unless(resp != nil && (resp.StatusCode == 200) == a.Allowed && (resp.Header.Get("At") != "") == a.Allowed, "its policies do not decide so")
		}
	}
	return "nothing is said of the access to its endpoint"
}

func unless(ok bool, why string) string {
	if ok {
		return ""
	}
	return why
}
