package mesh_test

import (
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
)

// No policy can be about a workload by a name that no rule can have: it would be
// served without any.
func TestNamesThatNoRuleCanHaveAreRefused(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, c := range []struct {
		config mesh.Config
		want   string
	}{
		{mesh.Config{Workload: mesh.Workload{Namespace: "shop-1"}, RootNamespace: "root", ClusterDomain: "mesh.example"}, ""},
		{mesh.Config{Workload: mesh.Workload{Namespace: "Default"}}, `mesh: Workload.Namespace: "Default" is no namespace: want 1 to 63 of a-z`},
		{mesh.Config{Workload: mesh.Workload{Namespace: "-a"}}, `Workload.Namespace: "-a"`},
		{mesh.Config{Workload: mesh.Workload{Namespace: "a_b"}}, `Workload.Namespace: "a_b"`},
		{mesh.Config{Workload: mesh.Workload{Namespace: long}}, "Workload.Namespace"},
		{mesh.Config{RootNamespace: "istio system"}, `RootNamespace: "istio system"`},
		{mesh.Config{ClusterDomain: ".cluster.local"}, `ClusterDomain: ".cluster.local" is no domain`},
		{mesh.Config{ClusterDomain: "Cluster.Local"}, `ClusterDomain: "Cluster.Local"`},
	} {
		m, err := mesh.New(t.Context(), c.config)
		if m != nil {
			_ = m.Close()
		}
		if text := errorText(err); c.want == "" && text != "" || !strings.Contains(text, c.want) {
			t.Errorf("%q, want %q", text, c.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
