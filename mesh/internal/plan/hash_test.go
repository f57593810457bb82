package plan_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// hashValue is what a key says of a request, "none" if nothing.
func hashValue(k *plan.HashKey, r *plan.Request) string {
	if value, ok := k.Value(r); ok {
		return value
	}
	return "none"
}

func TestHashKeys(t *testing.T) {
	request := func(change func(*plan.Request)) *plan.Request {
		r := get("http://a.com/p?q=%41&q=2&empty")
		r.Header = map[string][]string{}
		change(r)
		return r
	}
	header := func(values ...string) *plan.Request {
		return request(func(r *plan.Request) { r.Header["X-User"] = values })
	}
	cookies := func(lines ...string) *plan.Request {
		return request(func(r *plan.Request) { r.Header["Cookie"] = lines })
	}
	remote := func(address string) *plan.Request {
		return request(func(r *plan.Request) { r.Origin = plan.Remote(address) })
	}
	nothing := request(func(*plan.Request) {})
	for _, c := range []struct {
		key     string
		request *plan.Request
		want    string
	}{
		{"httpHeaderName: x-user", header("alice"), "alice"},
		{"httpHeaderName: X-USER", header("alice"), "alice"},
		{"httpHeaderName: x-user", header("b", "a"), "ab"}, // "sorted, hashed together"
		{"httpHeaderName: x-user", header(""), ""},
		{"httpHeaderName: x-user", nothing, "none"},
		{`httpHeaderName: ":authority"`, nothing, "a.com"},
		{`httpHeaderName: host`, nothing, "a.com"},
		{`httpHeaderName: ":path"`, nothing, "/p?q=%41&q=2&empty"},
		{"httpHeaderName: x-user", request(func(r *plan.Request) { r.LowerKeys, r.Header["x-user"] = true, []string{"grpc"} }), "grpc"},
		{"httpQueryParameterName: q", nothing, "%41"},
		{"httpQueryParameterName: empty", nothing, ""},
		{"httpQueryParameterName: r", nothing, "none"},
		{"httpCookie: {name: c}", cookies("a=1; c=2"), "2"},
		{"httpCookie: {name: c}", cookies("a=1", `c="2"`), "2"},
		{"httpCookie: {name: c}", cookies("c=; d=1"), "none"}, // as in Envoy: all who had been logged out would have one host
		{"httpCookie: {name: c}", cookies(`c=""`), "none"},
		{"httpCookie: {name: c}", cookies("cc=1; xc=2; c"), "none"},
		{"httpCookie: {name: c}", nothing, "none"},
		{"useSourceIp: true", remote("10.0.0.9:4711"), "10.0.0.9"},
		{"useSourceIp: true", remote("[fd00::1]:4711"), "fd00::1"},
		{"useSourceIp: true", nothing, "none"},
	} {
		k := policy(t, "loadBalancer: {consistentHash: {"+c.key+"}}").Hash
		if got := hashValue(k, c.request); got != c.want {
			t.Errorf("{%s} of %+v: %q, want %q", c.key, c.request, got, c.want)
		}
	}
}

func TestWhatHashesNothingHasNoKey(t *testing.T) {
	for _, spec := range []string{"", "loadBalancer: {simple: RANDOM}", "loadBalancer: {consistentHash: {}}", `loadBalancer: {consistentHash: {httpHeaderName: ""}}`,
		`loadBalancer: {consistentHash: {httpQueryParameterName: ""}}`, "loadBalancer: {consistentHash: {useSourceIp: false}}"} {
		if k := policy(t, spec).Hash; k != nil {
			t.Errorf("{%s}: %s", spec, k)
		}
	}
}

func TestCookiesAreMadeWhereATTLIsWritten(t *testing.T) {
	for spec, want := range map[string]plan.Cookie{
		"name: c":                    {Name: "c"},
		"name: c, ttl: 0s":           {Name: "c", Generate: true}, // for the session
		"name: c, ttl: 1h, path: /p": {Name: "c", Path: "/p", TTL: time.Hour, Generate: true},
		"name: c, ttl: 1h, attributes: [{name: SameSite, value: Strict}, {name: Secure}]": {Name: "c", TTL: time.Hour, Generate: true,
			Attributes: []plan.CookieAttribute{{Name: "SameSite", Value: "Strict"}, {Name: "Secure"}}},
	} {
		if got := policy(t, "loadBalancer: {consistentHash: {httpCookie: {"+spec+"}}}").Hash.Cookie; !reflect.DeepEqual(*got, want) {
			t.Errorf("{%s}: %+v, want %+v", spec, *got, want)
		}
	}
}

// A user stays in one arm of a split if a destination of it hashes.
func TestASplitIsStickyByTheFirstArmThatHashes(t *testing.T) {
	const two = "hosts: [a.com]\nhttp: [{route: [{destination: {host: b.com, subset: v1}, weight: 50}, {destination: {host: b.com, subset: v2}, weight: 50}]}]"
	for _, c := range []struct{ name, policy, want string }{
		{"none", "subsets: [{name: v1}, {name: v2}]", ""},
		{"the host's", "trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x}}}\nsubsets: [{name: v1}, {name: v2}]", "header x"},
		{"the first arm's", "subsets: [{name: v1, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: one}}}}, {name: v2, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: two}}}}]", "header one"},
		{"the second arm's", "subsets: [{name: v1}, {name: v2, trafficPolicy: {loadBalancer: {consistentHash: {httpQueryParameterName: q}}}}]", "query parameter q"},
	} {
		p := compile(t, virtualService("v", two), destinationRule("d", "host: b.com\n"+c.policy))
		if got := route(t, p, "http://a.com/").Sticky.String(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
