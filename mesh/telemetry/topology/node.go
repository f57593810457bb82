package topology

import (
	"cmp"
	"strings"
)

// A Node is a workload, as calls show it, or a service of which no workload has
// been reached. It is comparable; the zero Node is an unknown one.
type Node struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`    // the canonical service
	Version   string `json:"version,omitempty"` // "": of a service, or not known
}

// IsZero reports the unknown node.
func (n Node) IsZero() bool { return n == Node{} }

// ID is the node's name in a Graph: namespace/name@version, without what is not
// known.
func (n Node) ID() string {
	if n.IsZero() {
		return "unknown"
	}
	id := n.Name
	if n.Namespace != "" {
		id = n.Namespace + "/" + id
	}
	if n.Version != "" {
		id += "@" + n.Version
	}
	return id
}

func (n Node) compare(o Node) int {
	return cmp.Or(strings.Compare(n.Namespace, o.Namespace), strings.Compare(n.Name, o.Name), strings.Compare(n.Version, o.Version))
}

// A Key is what tells one flow from another.
type Key struct {
	Source, Target Node
	Protocol       string // http, grpc, tcp
	Secure         bool   // both ends have proven who they are
	// Inbound says that the target reports the calls, not the source.
	Inbound bool
}
