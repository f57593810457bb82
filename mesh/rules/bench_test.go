package rules_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// services is a file of n VirtualServices of common size.
func services(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: service-%d
  namespace: prod
spec:
  hosts:
  - service-%[1]d.prod.svc.cluster.local
  http:
  - match:
    - headers:
        x-canary:
          exact: "true"
    route:
    - destination:
        host: service-%[1]d
        subset: v2
  - timeout: 5s
    retries:
      attempts: 3
      perTryTimeout: 2s
      retryOn: 5xx,reset
    route:
    - destination:
        host: service-%[1]d
        subset: v1
      weight: 90
    - destination:
        host: service-%[1]d
        subset: v2
      weight: 10
`, i)
	}
	return b.Bytes()
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprintf("objects=%d", n), func(b *testing.B) {
			data := services(n)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rules.Parse("services.yaml", data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// One of ten thousand objects changes.
func BenchmarkReparse(b *testing.B) {
	var p rules.Parser
	versions := [][]byte{services(10_000), bytes.Replace(services(10_000), []byte("timeout: 5s"), []byte("timeout: 6s"), 1)}
	parse := func(i int) {
		if _, err := p.Parse(rules.Text{Name: "services.yaml", Data: versions[i%2]}); err != nil {
			b.Fatal(err)
		}
	}
	parse(1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		parse(i)
	}
}
