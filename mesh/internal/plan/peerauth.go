package plan

import (
	"slices"

	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A peerView is what the PeerAuthentications say of others: an endpoint that
// takes plaintext only is sent plaintext.
type peerView struct {
	root     string
	policies []*rules.PeerAuthentication // none: none of them says DISABLE
}

func viewPeers(set *rules.Set, root string) *peerView {
	v := &peerView{root: root}
	if slices.ContainsFunc(set.PeerAuthentications, disables) {
		v.policies = set.PeerAuthentications
	}
	return v
}

func disables(policy *rules.PeerAuthentication) bool {
	const off = security.PeerAuthentication_MutualTLS_DISABLE
	if policy.Spec.GetMtls().GetMode() == off {
		return true
	}
	for _, mtls := range policy.Spec.GetPortLevelMtls() {
		if mtls.GetMode() == off {
			return true
		}
	}
	return false
}

// disable reports whether mutual TLS is off at an endpoint of a namespace.
func (v *peerView) disable(namespace string, e *discovery.Endpoint) bool {
	if len(v.policies) == 0 {
		return false
	}
	w := authz.Workload{Namespace: namespace, Labels: e.Labels}
	set := &rules.Set{PeerAuthentications: v.policies}
	p, err := authz.Compile(set, w, authz.Options{RootNamespace: v.root})
	return err == nil && p.Mode(portOf(e)) == authz.Disable // there is nothing in the set that could be wrong
}
