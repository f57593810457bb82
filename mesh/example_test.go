package mesh_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A request goes where the rules say.
func Example() {
	v2 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "v2 of %s, for %s", r.Host, r.Header.Get("X-User"))
	}))
	defer v2.Close()
	source, err := discovery.NewStatic(map[string][]discovery.Endpoint{
		"reviews": {{Address: v2.Listener.Addr().String(), Labels: map[string]string{"version": "v2"}}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := mesh.New(context.Background(), mesh.Config{
		Workload:  mesh.Workload{Service: "productpage"},
		Discovery: source,
		Rules: rules.Static(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - route: [{destination: {host: reviews, subset: v2}}]
    headers: {request: {set: {x-user: jason}}}
`),
	})
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
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(string(body))
	// Output: v2 of reviews, for jason
}

// Bad rules are all told at once, each with its place and its bound.
func ExampleNew_badRules() {
	_, err := mesh.New(context.Background(), mesh.Config{Rules: rules.Static(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - route: [{destination: {host: reviews}, weight: -1}]
    timeout: 500us
`)})
	fmt.Println(err)
	// Output:
	// static[0]:8: VirtualService default/reviews: spec.http[0].route[0].weight: -1: want 0 or more
	// static[0]:9: VirtualService default/reviews: spec.http[0].timeout: 500µs: want 1ms or more; to switch it off, leave the field out
}

// What the mesh refuses is an error with a reason and the status that a sidecar
// would have answered with.
func ExampleError() {
	m, err := mesh.New(context.Background(), mesh.Config{Rules: rules.Static(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - match: [{uri: {prefix: /reviews/}}]
    directResponse: {status: 200}
`)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	r, _ := http.NewRequest("GET", "http://reviews/health", nil)
	_, err = m.Transport(nil).RoundTrip(r)
	refused := err.(*mesh.Error)
	fmt.Println(refused)
	fmt.Println(refused.HTTPStatus(), refused.Reason == mesh.ErrNoRoute)
	// Output:
	// mesh: reviews.default.svc.cluster.local: no route matches (NR) rule=default/reviews
	// 404 true
}
