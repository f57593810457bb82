package mesh_test

import (
	"fmt"
	"net"
	"testing"
)

// An endpoint that a rule lists twice is one host, also where ejections are counted:
// half of two is one.
func TestAnEndpointThatIsListedTwiceIsOneHost(t *testing.T) {
	play(t, nil, func(s *scene) {
		list := ""
		for _, h := range s.cast(2) {
			h.plays(h.says(500))
			host, port, _ := net.SplitHostPort(h.Address())
			list += fmt.Sprintf("  - {address: %s, ports: {http: %s}}\n  - {address: %s, ports: {http: %s}}\n", host, port, host, port)
		}
		s.rule(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: twins}
spec:
  hosts: [twins.example.com]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints:
`+list,
			policy("twins.example.com", "{outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 50, baseEjectionTime: 1h}, loadBalancer: {simple: ROUND_ROBIN}}"),
			unretried("twins.example.com"))
		for range 10 {
			s.want(s.get("http://twins.example.com/"), "500")
		}
		if n := len(s.mesh.Clusters()[0].Endpoints); n != 2 {
			s.Errorf("%d endpoints, want 2", n)
		}
	})
}
