package mesh_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// Off Kubernetes nobody knows localhost.default.svc.cluster.local.
func TestPassthroughReachesAShortNameThatIsNoService(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	m, err := mesh.New(t.Context(), mesh.Config{Rules: rules.Static(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: here}
spec: {host: localhost, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}`)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	resp, err := (&http.Client{Transport: m.Transport(nil)}).Get("http://localhost:" + port)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
