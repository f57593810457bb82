package consul

import (
	"cmp"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/tlsid"
)

// A caller is who an identity of Consul's form says it is.
type caller struct{ partition, namespace, service string }

// callerOf reads
//
//	[/ap/<partition>]/ns/<namespace>/dc/<datacenter>/svc/<service>
//
// Intentions do not tell datacenters apart, nor do Consul's proxies.
func callerOf(id tlsid.ID) (caller, bool) {
	c := caller{partition: "default"}
	path, ok := id.Path(), true
	if strings.HasPrefix(path, "/ap/") {
		c.partition, path, _ = field(path, "/ap/")
	}
	if c.namespace, path, ok = field(path, "/ns/"); !ok {
		return caller{}, false
	}
	if _, path, ok = field(path, "/dc/"); !ok {
		return caller{}, false
	}
	c.service, path, ok = field(path, "/svc/")
	return c, ok && path == ""
}

// field cuts /name/value from the front of a path; it makes nothing, for it is on
// the way of each request.
func field(path, name string) (value, rest string, ok bool) {
	path, ok = strings.CutPrefix(path, name)
	if !ok {
		return "", "", false
	}
	if end := strings.IndexByte(path, '/'); end >= 0 {
		return path[:end], path[end:], true
	}
	return path, "", true
}

const wildcard = "*"

// A source is whom an intention is about: namespace and service may be wildcards.
type source caller

func sourceOf(i *api.Intention) source {
	return source{cmp.Or(i.SourcePartition, "default"), cmp.Or(i.SourceNS, "default"), i.SourceName}
}

func (s source) matches(c caller) bool {
	return s.partition == c.partition &&
		(s.namespace == wildcard || s.namespace == c.namespace) &&
		(s.service == wildcard || s.service == c.service)
}
