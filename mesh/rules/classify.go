package rules

import (
	"fmt"
	"slices"
	"strings"
)

const (
	networkingGroup = "networking.istio.io"
	securityGroup   = "security.istio.io"
	telemetryGroup  = "telemetry.istio.io"
	linkerdGroup    = "policy.linkerd.io"
)

// versions are those under which a group's kinds in force are read. Nobody writes to it.
var versions = map[string][]string{
	networkingGroup: {"v1", "v1beta1", "v1alpha3"},
	securityGroup:   {"v1", "v1beta1"},
	telemetryGroup:  {"v1", "v1alpha1"},
	linkerdGroup:    {"v1alpha1"},
}

// istioGroups are those of which every kind is known.
var istioGroups = []string{networkingGroup, securityGroup, telemetryGroup, "extensions.istio.io"}

// A fate is what becomes of an object that is not in force.
type fate struct {
	severity Severity
	reason   string
}

var (
	unguarded = fate{Refused, "not yet enforced by inmesh; leaving it out would remove a protection"}
	linkerds  = fate{Refused, "not enforced by inmesh, which reads Istio's AuthorizationPolicy; leaving it out would remove a protection"}
	proxied   = fate{Refused, "needs a proxy, which inmesh does without; leaving it out would change what the mesh does"}
	idle      = fate{Warning, "has no effect in a process; ignored"}
	foreign   = fate{Warning, "not a mesh rule; ignored"}
)

// otherKinds are known kinds that are not in force, by group and kind. Of
// Linkerd's, only those that guard something matter: a directory that holds its
// rate limits may hold them too. Nobody writes to it.
var otherKinds = map[string]fate{
	"networking.istio.io/Sidecar":           unguarded,
	"networking.istio.io/EnvoyFilter":       proxied,
	"networking.istio.io/ProxyConfig":       proxied,
	"extensions.istio.io/WasmPlugin":        proxied,
	"networking.istio.io/Gateway":           idle,
	"networking.istio.io/WorkloadGroup":     idle,
	"policy.linkerd.io/AuthorizationPolicy": linkerds,
	"policy.linkerd.io/ServerAuthorization": linkerds,
	"policy.linkerd.io/Server":              idle, // rate limits name it, no more
}

// classify finds the kind in force that apiVersion and name stand for, or says
// what becomes of the object.
func classify(apiVersion, name string) (kind, bool, fate) {
	group, version, _ := strings.Cut(apiVersion, "/")
	if v, ok := otherKinds[group+"/"+name]; ok {
		return kind{}, false, v
	}
	k, ours := kinds[group+"/"+name]
	if !ours {
		return kind{}, false, unknownKind(apiVersion, name)
	}
	if !slices.Contains(versions[group], version) {
		return kind{}, false, invalidKind("unknown version %q: want one of %s", version, strings.Join(versions[group], ", "))
	}
	return k, true, fate{}
}

func invalidKind(format string, args ...any) fate {
	return fate{Invalid, fmt.Sprintf(format, args...)}
}

// unknownKind tells a rule that is misspelt from what is no rule at all.
func unknownKind(apiVersion, name string) fate {
	group, _, _ := strings.Cut(apiVersion, "/")
	istio, near := slices.Contains(istioGroups, group), didYouMean(name, kindsOf(group))
	home := homeOf(name)
	switch {
	case home != "" && (istio || meantFor(group)):
		return invalidKind("%s is of %s/%s, not of %q", name, home, versions[home][0], clip(apiVersion, 60))
	case istio, group == linkerdGroup && near != "":
		return invalidKind("%s has no kind %q%s", group, clip(name, 60), near)
	}
	return foreign
}

// meantFor says that a group is probably one of those that are read, misspelt.
func meantFor(group string) bool {
	return !strings.Contains(group, ".") || didYouMean(group, append(slices.Clone(istioGroups), linkerdGroup)) != ""
}

// homeOf is the group that has a kind in force of this name; "" for none.
func homeOf(name string) string {
	for group := range versions {
		if _, ok := kinds[group+"/"+name]; ok {
			return group
		}
	}
	return ""
}

func kindsOf(group string) []string {
	var names []string
	for k := range otherKinds {
		if name, ok := strings.CutPrefix(k, group+"/"); ok {
			names = append(names, name)
		}
	}
	for k := range kinds {
		if name, ok := strings.CutPrefix(k, group+"/"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
