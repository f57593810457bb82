package rules_test

import (
	"bytes"
	"fmt"
	"slices"
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

// One of ten thousand objects changes: its lines stay as many; it gets one more,
// so that all below it move; it says something else to others; it gets a sister.
func BenchmarkReparse(b *testing.B) {
	before := services(10_000)
	middle := bytes.Index(before, []byte("service-5000\n"))
	edit := func(old, new string) []byte {
		return append(before[:middle:middle], bytes.Replace(before[middle:], []byte(old), []byte(new), 1)...)
	}
	for _, c := range []struct {
		name  string
		after []byte
	}{
		{"changed", edit("timeout: 5s", "timeout: 6s")},
		{"longer", edit("timeout: 5s", "timeout: 5s\n    name: x")},
		{"other-host", edit("hosts:\n  - service-5000", "hosts:\n  - service-x")},
		{"added", edit("---\n", "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: x}\nspec: {host: x}\n---\n")},
	} {
		b.Run(c.name, func(b *testing.B) { reparse(b, one(before), one(c.after)) })
	}
}

// Of ten thousand files with one object each, one changes.
func BenchmarkReparseFiles(b *testing.B) {
	before := split(services(10_000))
	after := slices.Clone(before)
	after[5000].Data = bytes.Replace(after[5000].Data, []byte("timeout: 5s"), []byte("timeout: 6s"), 1)
	reparse(b, before, after)
}

func one(data []byte) []rules.Text { return []rules.Text{{Name: "services.yaml", Data: data}} }

func split(data []byte) (files []rules.Text) {
	for i, document := range bytes.SplitAfter(data, []byte("---\n"))[1:] {
		files = append(files, rules.Text{Name: fmt.Sprintf("%05d.yaml", i), Data: document})
	}
	return files
}

func reparse(b *testing.B, versions ...[]rules.Text) {
	var p rules.Parser
	parse := func(i int) {
		if _, err := p.Parse(versions[i%2]...); err != nil {
			b.Fatal(err)
		}
	}
	parse(1)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		parse(i)
	}
}
