package mesh

import (
	"net/http"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A host remembers how it is reached: asking again costs no allocation, whatever
// TLS there is.
func TestALineIsSpeltOnce(t *testing.T) {
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		t.Fatal(err)
	}
	source, err := discovery.NewStatic(map[string][]discovery.Endpoint{
		"reviews": {{Address: "127.0.0.1:1", Identity: "spiffe://cluster.local/ns/default/sa/reviews"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	policy := func(mode string) string {
		return "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d}\nspec: {host: reviews, trafficPolicy: {connectionPool: {tcp: {maxConnections: 9}}, " + mode + "}}\n"
	}
	for _, c := range []struct {
		mode, url string
		want      security
	}{
		{"", "http://reviews/", byIdentity},
		{"", "https://reviews/", byCaller},
		{"tls: {mode: DISABLE}", "http://reviews/", inClear},
		{"tls: {mode: SIMPLE}", "http://reviews:80/", byFiles},
		{"tls: {mode: ISTIO_MUTUAL}", "https://reviews/", byIdentity},
	} {
		m, err := New(t.Context(), Config{Identity: ca.Workload("me"), Discovery: source, Rules: rules.Static(policy(c.mode))})
		if err != nil {
			t.Fatal(err)
		}
		own := m.Transport(nil)
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url, nil)
		if _, err := own.RoundTrip(r); err == nil {
			t.Fatal("somebody listens on port 1")
		}
		cl := m.engine.Clusters()[0]
		spec, host := cl.Spec(), cl.Hosts()[0]
		if got := security(own.own.lineTo(host, cl, spec, r).Security); got != c.want {
			t.Errorf("%s %s: %d, want %d", c.mode, c.url, got, c.want)
		}
		if n := testing.AllocsPerRun(100, func() { own.own.lineTo(host, cl, spec, r) }); n != 0 {
			t.Errorf("%s %s: %v allocations, want 0", c.mode, c.url, n)
		}
		_ = m.Close()
	}
}
