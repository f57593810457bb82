package authz_test

import (
	"testing"

	"github.com/inmesh-go/inmesh/mesh/authz"
)

// mtls is a PeerAuthentication, created on that day of January.
func mtls(name, day, spec string) string {
	return document("PeerAuthentication", name, `, creationTimestamp: "2026-01-`+day+`T00:00:00Z"`, spec)
}

func TestModeOfAPort(t *testing.T) {
	const selected, others = "selector: {matchLabels: {app: reviews}}, ", "selector: {matchLabels: {app: ratings}}, "
	const strict, permissive, disable, unset = "mtls: {mode: STRICT}", "mtls: {mode: PERMISSIVE}", "mtls: {mode: DISABLE}", "mtls: {mode: UNSET}"
	type all []string
	for _, c := range []struct {
		name           string
		policies       all
		port80, port81 authz.Mode
	}{
		{"nothing", nil, authz.Permissive, authz.Permissive},
		{"UNSET everywhere", all{mtls("istio-system/m", "01", unset), mtls("ns", "01", ``), mtls("w", "01", selected+unset)}, authz.Permissive, authz.Permissive},
		{"mesh", all{mtls("istio-system/m", "01", strict)}, authz.Strict, authz.Strict},
		{"namespace before mesh", all{mtls("istio-system/m", "01", strict), mtls("ns", "01", disable)}, authz.Disable, authz.Disable},
		{"workload before namespace", all{mtls("ns", "01", disable), mtls("w", "01", selected+strict)}, authz.Strict, authz.Strict},
		{"UNSET workload inherits the namespace's", all{mtls("istio-system/m", "01", strict), mtls("ns", "01", disable), mtls("w", "01", selected+unset)}, authz.Disable, authz.Disable},
		{"UNSET namespace inherits the mesh's", all{mtls("istio-system/m", "01", strict), mtls("ns", "01", unset)}, authz.Strict, authz.Strict},
		{"another workload", all{mtls("w", "01", others+strict)}, authz.Permissive, authz.Permissive},
		{"another namespace", all{mtls("other/ns", "01", strict)}, authz.Permissive, authz.Permissive},
		{"another namespace with labels", all{mtls("other/ns", "01", selected+strict)}, authz.Permissive, authz.Permissive},
		{"labels in the root namespace are ignored", all{mtls("istio-system/m", "01", selected+strict)}, authz.Permissive, authz.Permissive},
		{"a selector without labels selects the namespace", all{mtls("ns", "01", "selector: {}, "+strict)}, authz.Strict, authz.Strict},
		{"the oldest of a level", all{mtls("a", "02", disable), mtls("b", "01", strict)}, authz.Strict, authz.Strict},
		{"the oldest, even UNSET", all{mtls("istio-system/m", "01", permissive), mtls("a", "01", unset), mtls("b", "02", strict)}, authz.Permissive, authz.Permissive},
		{"port", all{mtls("w", "01", selected+strict+", portLevelMtls: {80: {mode: DISABLE}}")}, authz.Disable, authz.Strict},
		{"UNSET port inherits the workload's", all{mtls("ns", "01", disable), mtls("w", "01", selected+strict+", portLevelMtls: {80: {mode: UNSET}}")}, authz.Strict, authz.Strict},
		{"port of a workload that inherits", all{mtls("ns", "01", strict), mtls("w", "01", selected+"portLevelMtls: {80: {mode: PERMISSIVE}, 81: {}}")}, authz.Permissive, authz.Strict},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := compile(t, c.policies...)
			if got := [...]authz.Mode{p.Mode(80), p.Mode(81)}; got != [...]authz.Mode{c.port80, c.port81} {
				t.Errorf("ports 80 and 81: %s, want %s and %s", got, c.port80, c.port81)
			}
		})
	}
}

// A policy without labels in the root namespace is the mesh's, also for the
// workloads of that namespace.
func TestModeInTheRootNamespace(t *testing.T) {
	set := parse(t, mtls("istio-system/m", "01", "mtls: {mode: STRICT}"), mtls("istio-system/w", "01", "selector: {matchLabels: {app: reviews}}, mtls: {mode: DISABLE}"))
	p, err := authz.Compile(set, authz.Workload{Namespace: "istio-system", Labels: reviews.Labels}, authz.Options{})
	if err != nil || p.Mode(80).String() != "STRICT" {
		t.Errorf("%v, error %v; want STRICT", p.Mode(80), err)
	}
}
