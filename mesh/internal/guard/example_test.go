package guard_test

import (
	"context"
	"fmt"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

func Example() {
	set, err := rules.Parse("rules.yaml", []byte(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: read-only}
spec: {rules: [{to: [{operation: {methods: [GET]}}]}]}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	workload := plan.Workload{Service: "reviews", Namespace: "default"}
	g := guard.New(guard.Config{Workload: workload, RootNamespace: "istio-system", Own: new(tlsid.Current)})
	defer g.Close()
	policies, err := g.Compile(set)
	if err != nil {
		fmt.Println(err)
		return
	}
	g.Apply(set, policies, plan.Compile(set, plan.Options{Workload: workload}))
	for _, method := range []string{"GET", "POST"} {
		var v guard.Visit
		v.Method, v.Path = method, authz.LiteralPath("/reviews/7")
		if refusal := g.Admit(context.Background(), &v); refusal != nil {
			fmt.Println(method, refusal.Status, refusal)
			continue
		}
		fmt.Println(method, "may go in")
	}
	// Output:
	// GET may go in
	// POST 403 rbac_access_denied_matched_policy[none]
}
