package meshtest_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

const onlyProductpage = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reviews}
spec:
  selector: {matchLabels: {app: reviews}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/productpage]}}]
`

func TestAMeshedInstanceKnowsWhoCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := meshtest.New(t)
		fleet.StartMesh(mesh.Config{
			Workload: mesh.Workload{Service: "reviews", Labels: meshtest.Labels{"app": "reviews"}},
			Rules:    rules.Static(onlyProductpage),
		}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "called by %v", mesh.Peer(r.Context()).ID)
		}))
		for caller, want := range map[string]string{
			"productpage": "called by spiffe://cluster.local/ns/default/sa/productpage",
			"ratings":     "RBAC: access denied",
		} {
			client := fleet.Client(mesh.Config{Identity: fleet.Identity(caller)})
			if got := get(t, client, "http://reviews/"); got != want {
				t.Errorf("%s was answered %q, want %q", caller, got, want)
			}
		}
	})
}

func TestExplainTellsHowAnEndpointIsReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := meshtest.New(t)
		fleet.StartMesh(mesh.Config{Workload: mesh.Workload{Service: "reviews"}}, say("good"))
		fleet.Start("legacy", say("good"), nil)
		m := fleet.Mesh(mesh.Config{Identity: fleet.Identity("productpage")})
		for url, want := range map[string]string{
			"http://reviews/": "identity, expecting spiffe://cluster.local/ns/default/sa/reviews",
			"http://legacy/":  "none",
		} {
			r, _ := http.NewRequestWithContext(t.Context(), "GET", url, nil)
			e := m.Explain(r)
			if len(e.Destinations) != 1 || len(e.Destinations[0].Hosts) != 1 || e.Destinations[0].Hosts[0].TLS != want {
				t.Errorf("%s: %+v, want TLS %q", url, e.Destinations, want)
			}
		}
	})
}
