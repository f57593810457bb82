package mesh_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// explained tells the routes for a request in the order of the explanation, each
// with why it does not take the request.
func explained(t *testing.T, routes, url string) (out []string) {
	t.Helper()
	where, err := discovery.NewStatic(map[string][]discovery.Endpoint{"play": {{Address: "127.0.0.1:1"}}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mesh.New(t.Context(), mesh.Config{Discovery: where, Rules: rules.Static("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: play}\nspec: {hosts: [play], http: " + routes + "}")})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, route := range m.Explain(r).Routes {
		reason := strings.Join(route.Failed, "; ")
		if route.Matched {
			reason = "takes"
		}
		out = append(out, route.Name+": "+reason)
	}
	return out
}

// JSON, and YAML in brackets, have all routes on one line.
func TestExplainTellsRoutesInTheOrderOfTheRule(t *testing.T) {
	const to = "route: [{destination: {host: play}}]}"
	routes := []string{
		"{name: elsewhere, match: [{sourceLabels: {app: other}}], " + to,
		"{name: narrow, match: [{uri: {exact: /narrow}}], " + to,
		"{name: lost, delegate: {name: nobody}}",
		"{name: wide, " + to,
		"{name: behind, " + to,
		"{name: last, match: [{sourceLabels: {app: other}}], " + to,
	}
	want := []string{
		"elsewhere: sourceLabels app=other: this workload has no such label",
		`narrow: uri exact "/narrow"`,
		"lost: delegate default/nobody: missing, not visible here, or without a route that goes with this one",
		"wide: takes",
		"behind: it stands behind wide, which takes everything",
		"last: it stands behind wide, which takes everything",
	}
	for _, separator := range []string{", ", ",\n  "} {
		if got := explained(t, "["+strings.Join(routes, separator)+"]", "http://play/"); !slices.Equal(got, want) {
			t.Errorf("with %q between:\n%s\nwant\n%s", separator, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
