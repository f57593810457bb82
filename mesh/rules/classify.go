package rules

import (
	"fmt"
	"slices"
	"strings"
)

const networkingGroup = "networking.istio.io"

var (
	networkingVersions = []string{"v1", "v1beta1", "v1alpha3"}
	istioGroups        = []string{networkingGroup, "security.istio.io", "telemetry.istio.io", "extensions.istio.io"}
)

// A fate is what becomes of an object that is not in force.
type fate struct {
	severity Severity
	reason   string
}

var (
	unguarded = fate{Refused, "not yet enforced by inmesh; leaving it out would remove a protection"}
	proxied   = fate{Refused, "needs a proxy, which inmesh does without; leaving it out would change what the mesh does"}
	idle      = fate{Warning, "has no effect in a process; ignored"}
	unread    = fate{Warning, "not yet read by inmesh; ignored"}
	foreign   = fate{Warning, "not a mesh rule; ignored"}
)

// istioKinds are Istio's kinds that are not in force, by group and kind.
// Nobody writes to it.
var istioKinds = map[string]fate{
	"networking.istio.io/Sidecar":             unguarded,
	"security.istio.io/AuthorizationPolicy":   unguarded,
	"security.istio.io/PeerAuthentication":    unguarded,
	"security.istio.io/RequestAuthentication": unguarded,
	"networking.istio.io/EnvoyFilter":         proxied,
	"networking.istio.io/ProxyConfig":         proxied,
	"extensions.istio.io/WasmPlugin":          proxied,
	"networking.istio.io/Gateway":             idle,
	"networking.istio.io/WorkloadGroup":       idle,
	"telemetry.istio.io/Telemetry":            unread,
}

// classify finds the kind in force that apiVersion and name stand for, or says
// what becomes of the object.
func classify(apiVersion, name string) (kind, bool, fate) {
	group, version, _ := strings.Cut(apiVersion, "/")
	if v, ok := istioKinds[group+"/"+name]; ok {
		return kind{}, false, v
	}
	k, ours := kinds[name]
	switch {
	case ours && group == networkingGroup:
		if slices.Contains(networkingVersions, version) {
			return k, true, fate{}
		}
		return k, false, fate{Invalid, fmt.Sprintf("unknown version %q: want one of %s", version, strings.Join(networkingVersions, ", "))}
	case slices.Contains(istioGroups, group):
		return kind{}, false, fate{Invalid, fmt.Sprintf("%s has no kind %q%s", group, clip(name, 60), didYouMean(name, kindsOf(group)))}
	case ours && (!strings.Contains(group, ".") || didYouMean(group, istioGroups) != ""):
		return kind{}, false, fate{Invalid, fmt.Sprintf("%s is of %s/v1, not of %q", name, networkingGroup, clip(apiVersion, 60))}
	}
	return kind{}, false, foreign
}

func kindsOf(group string) []string {
	var names []string
	for k := range istioKinds {
		if name, ok := strings.CutPrefix(k, group+"/"); ok {
			names = append(names, name)
		}
	}
	if group == networkingGroup {
		for name := range kinds {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
