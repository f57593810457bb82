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
	parts := strings.Split(strings.TrimPrefix(id.Path(), "/"), "/")
	c := caller{partition: "default"}
	if len(parts) == 8 && parts[0] == "ap" {
		c.partition, parts = parts[1], parts[2:]
	}
	if len(parts) != 6 || parts[0] != "ns" || parts[2] != "dc" || parts[4] != "svc" {
		return caller{}, false
	}
	c.namespace, c.service = parts[1], parts[5]
	return c, true
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
