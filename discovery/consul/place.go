package consul

import (
	"fmt"
	"strings"

	"github.com/hashicorp/consul/api"
)

// A Place is a part of Consul in which services are looked for. The zero Place
// is what the api.Client says: its datacenter (else the agent's), its namespace,
// its partition.
type Place struct {
	// Datacenter is a federated one. "": the client's.
	Datacenter string
	// Namespace and Partition are those of Consul Enterprise. "": the client's.
	Namespace, Partition string
	// Peer is a cluster that exports services to this one. "": none.
	Peer string
}

// String names the parts that are said, as datacenter dc2, namespace shop.
func (p Place) String() string {
	var parts []string
	for _, part := range []struct{ what, name string }{
		{"datacenter", p.Datacenter}, {"namespace", p.Namespace}, {"partition", p.Partition}, {"peer", p.Peer},
	} {
		if part.name != "" {
			parts = append(parts, fmt.Sprintf("%s %s", part.what, part.name))
		}
	}
	return strings.Join(parts, ", ")
}

// options are those of a query in this place.
func (p Place) options() api.QueryOptions {
	return api.QueryOptions{Datacenter: p.Datacenter, Namespace: p.Namespace, Partition: p.Partition, Peer: p.Peer}
}
