package authz_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

const onlyProductpage = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: callers}
spec:
  selector: {matchLabels: {app: reviews}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/productpage]}}]
    to: [{operation: {methods: [GET], paths: ["/reviews/*"]}}]
`

func Example() {
	set, err := rules.Parse("access.yaml", []byte(onlyProductpage))
	if err != nil {
		fmt.Println(err)
		return
	}
	policies, err := authz.Compile(set, authz.Workload{Labels: map[string]string{"app": "reviews"}}, authz.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, caller := range []string{"productpage", "ratings"} {
		peer, _ := tlsid.ParseID("spiffe://cluster.local/ns/default/sa/" + caller)
		for _, path := range []string{"/reviews/7", "/reviews/../admin"} {
			fmt.Println(caller, path, ask(policies, peer, path))
		}
	}
	// Output:
	// productpage /reviews/7 may
	// productpage /reviews/../admin rbac_access_denied_matched_policy[none]
	// ratings /reviews/7 rbac_access_denied_matched_policy[none]
	// ratings /reviews/../admin rbac_access_denied_matched_policy[none]
}

// ask does what a server does before it calls its handler.
func ask(policies *authz.Policies, peer tlsid.ID, target string) string {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	path, err := authz.Base.Path(r.URL.EscapedPath())
	if err != nil {
		return err.Error() // 400
	}
	r.URL.Path, r.URL.RawPath = path.Decoded(), path.Escaped()
	decision := policies.Decide(&authz.Request{Peer: peer, Method: r.Method, Host: r.Host, Path: path, Header: r.Header})
	if !decision.Allowed {
		return decision.Reason() // 403
	}
	return "may"
}
