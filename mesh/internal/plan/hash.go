package plan

import (
	"slices"
	"strings"
	"time"

	networking "istio.io/api/networking/v1alpha3"
)

// A HashKey says what of a request consistent hashing looks at. Exactly one
// field is set.
type HashKey struct {
	Header   string
	Query    string
	Cookie   *Cookie
	SourceIP bool

	header headerName
}

// A Cookie is a hash key that the mesh makes up where the caller has none yet,
// if Generate is set.
type Cookie struct {
	Name, Path string
	TTL        time.Duration // 0 with Generate: a session cookie
	Generate   bool
	Attributes []CookieAttribute
}

// A CookieAttribute is a further attribute of a generated cookie, such as
// SameSite=Strict.
type CookieAttribute struct{ Name, Value string }

func compileHashKey(lb *networking.LoadBalancerSettings) *HashKey {
	switch key := lb.GetConsistentHash().GetHashKey().(type) {
	case *networking.LoadBalancerSettings_ConsistentHashLB_HttpHeaderName:
		if key.HttpHeaderName != "" {
			return &HashKey{Header: key.HttpHeaderName, header: newHeaderName(key.HttpHeaderName)}
		}
	case *networking.LoadBalancerSettings_ConsistentHashLB_HttpQueryParameterName:
		if key.HttpQueryParameterName != "" {
			return &HashKey{Query: key.HttpQueryParameterName}
		}
	case *networking.LoadBalancerSettings_ConsistentHashLB_UseSourceIp:
		if key.UseSourceIp {
			return &HashKey{SourceIP: true}
		}
	case *networking.LoadBalancerSettings_ConsistentHashLB_HttpCookie:
		return &HashKey{Cookie: compileCookie(key.HttpCookie)}
	}
	return nil
}

func compileCookie(spec *networking.LoadBalancerSettings_ConsistentHashLB_HTTPCookie) *Cookie {
	c := &Cookie{Name: spec.Name, Path: spec.Path, TTL: spec.GetTtl().AsDuration(), Generate: spec.Ttl != nil}
	for _, a := range spec.Attributes {
		c.Attributes = append(c.Attributes, CookieAttribute{a.Name, a.Value})
	}
	return c
}

// Same reports whether both look at the same part of a request. Either may be nil.
func (k *HashKey) Same(o *HashKey) bool {
	if k == nil || o == nil {
		return k == o
	}
	return k.header.lower == o.header.lower && k.Query == o.Query && k.SourceIP == o.SourceIP && k.Cookie.named(o.Cookie)
}

func (c *Cookie) named(o *Cookie) bool {
	if c == nil || o == nil {
		return c == o
	}
	return c.Name == o.Name
}

// Value returns the text to hash; false if the request has none.
func (k *HashKey) Value(r *Request) (string, bool) {
	switch {
	case k.Header != "":
		return k.headerValue(r)
	case k.Query != "":
		return r.query(k.Query)
	case k.Cookie != nil:
		return r.cookie(k.Cookie.Name)
	}
	remote := r.remote()
	return withoutPort(remote), remote != ""
}

// headerValue: "several values: sorted, hashed together" (Envoy).
func (k *HashKey) headerValue(r *Request) (string, bool) {
	if k.header.pseudo != noPseudo {
		return r.value(&k.header)
	}
	switch values := r.values(&k.header); len(values) {
	case 0:
		return "", false
	case 1:
		return values[0], true
	default:
		return strings.Join(slices.Sorted(slices.Values(values)), ""), true
	}
}
