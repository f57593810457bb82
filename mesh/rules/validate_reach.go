package rules

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	networking "istio.io/api/networking/v1alpha3"
)

// warnUnreachable names routes, and matches of routes, that never get a
// request because earlier ones take them all: the first match wins.
func warnUnreachable(c *checker, routes []*networking.HTTPRoute) {
	earlier := reach{}
	for i, route := range routes {
		path := nth("spec.http", i)
		matches := route.GetMatch()
		if len(matches) == 0 {
			matches = []*networking.HTTPMatchRequest{{}}
		}
		taken := map[int]string{}
		for j, match := range matches {
			if by := earlier.cover(match); by != "" {
				taken[j] = by
			}
			// A delegate may leave requests to the routes after it.
			if route.GetDelegate() == nil {
				earlier.add(match, matchName(path, route, j))
			}
		}
		warnTaken(c, path, len(matches), taken)
	}
}

func warnTaken(c *checker, path string, matches int, taken map[int]string) {
	if len(taken) == matches {
		c.warn(path, "never reached: %s takes its requests", taken[0])
		return
	}
	for j := range matches {
		if by, ok := taken[j]; ok {
			c.warn(item(path, "match", j), "never reached: %s takes its requests", by)
		}
	}
}

func matchName(path string, route *networking.HTTPRoute, j int) string {
	if len(route.GetMatch()) == 0 {
		return path
	}
	return item(path, "match", j)
}

// A reach holds matches by their uri, so that only those are compared that can
// cover one another. Long lists of routes stay cheap.
type reach map[string][]reached

type reached struct {
	match *networking.HTTPMatchRequest
	name  string
}

func (r reach) add(m *networking.HTTPMatchRequest, name string) {
	key := uriKey(m.Uri)
	r[key] = append(r[key], reached{m, name})
}

// cover is the name of a match that takes all requests of m; "" for none.
func (r reach) cover(m *networking.HTTPMatchRequest) string {
	for _, key := range coveringKeys(m.GetUri()) {
		for _, candidate := range r[key] {
			if covers(candidate.match, m) {
				return candidate.name
			}
		}
	}
	return ""
}

// uriKey is "prefix:" for what takes any path.
func uriKey(uri *networking.StringMatch) string {
	switch u := uri.GetMatchType().(type) {
	case *networking.StringMatch_Exact:
		return "exact:" + u.Exact
	case *networking.StringMatch_Regex:
		if u.Regex != ".*" {
			return "regex:" + u.Regex
		}
	case *networking.StringMatch_Prefix:
		if u.Prefix != "/" {
			return "prefix:" + u.Prefix
		}
	}
	return "prefix:"
}

// coveringKeys are the keys of the uris that take every path that uri takes.
func coveringKeys(uri *networking.StringMatch) []string {
	keys := []string{"prefix:", uriKey(uri)}
	start := uri.GetExact() + uri.GetPrefix() // a oneof: one is empty
	for end := 1; end <= len(start); end++ {
		keys = append(keys, "prefix:"+start[:end])
	}
	return keys
}

// covers reports whether every condition of a, but that on the uri, is one of b.
func covers(a, b *networking.HTTPMatchRequest) bool {
	return a.IgnoreUriCase == b.GetIgnoreUriCase() &&
		absentOrEqual(a.Scheme, b.GetScheme()) &&
		absentOrEqual(a.Method, b.GetMethod()) &&
		absentOrEqual(a.Authority, b.GetAuthority()) &&
		subset(a.Headers, b.GetHeaders(), protoEqual) &&
		subset(a.WithoutHeaders, b.GetWithoutHeaders(), protoEqual) &&
		subset(a.QueryParams, b.GetQueryParams(), protoEqual) &&
		coversSource(a, b)
}

func coversSource(a, b *networking.HTTPMatchRequest) bool {
	same := func(x, y string) bool { return x == y }
	return (a.Port == 0 || a.Port == b.GetPort()) &&
		subset(a.SourceLabels, b.GetSourceLabels(), same) &&
		(a.SourceNamespace == "" || a.SourceNamespace == b.GetSourceNamespace()) &&
		(len(a.Gateways) == 0 || fmt.Sprint(a.Gateways) == fmt.Sprint(b.GetGateways()))
}

func absentOrEqual(a, b *networking.StringMatch) bool { return a == nil || protoEqual(a, b) }

func protoEqual(a, b *networking.StringMatch) bool { return proto.Equal(a, b) }

// subset reports whether every entry of a stands in b too.
func subset[V any](a, b map[string]V, same func(V, V) bool) bool {
	for k, v := range a {
		if w, ok := b[k]; !ok || !same(v, w) {
			return false
		}
	}
	return true
}
