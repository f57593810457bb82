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
