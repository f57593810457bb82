package mesh_test

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

const accessRules = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reviews}
spec:
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/productpage]}}]
`

// A server takes mutual TLS only, and answers one caller alone.
func ExampleMesh_Listen() {
	ctx := context.Background()
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	reviews, err := mesh.New(ctx, mesh.Config{
		Workload: mesh.Workload{Service: "reviews"},
		Identity: ca.Workload("reviews"),
		Rules:    rules.Static(accessRules),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer reviews.Close()
	lis, err := reviews.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lis.Close()
	go http.Serve(lis, reviews.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "good day,", mesh.Peer(r.Context()).ID)
	})))

	where, err := discovery.NewStatic(map[string][]discovery.Endpoint{
		"reviews": {{Address: lis.Addr().String(), Identity: "spiffe://cluster.local/ns/default/sa/reviews"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, who := range []string{"productpage", "ratings"} {
		m, err := mesh.New(ctx, mesh.Config{Discovery: where, Identity: ca.Workload(who)})
		if err != nil {
			fmt.Println(err)
			return
		}
		defer m.Close()
		client := &http.Client{Transport: m.Transport(nil)}
		resp, err := client.Get("http://reviews/7")
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(who, resp.StatusCode, string(body))
	}
	// Output:
	// productpage 200 good day, spiffe://cluster.local/ns/default/sa/productpage
	//
	// ratings 403 RBAC: access denied
}
