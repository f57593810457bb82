package repository_test

import (
	"slices"
	"strings"
	"testing"
)

// A heavy dependency is linked by those packages alone that exist for it.
type heavy struct {
	path string // and all below it
	only []string
	why  string
}

var heavies = []heavy{
	{"google.golang.org/grpc", []string{"mesh/meshgrpc", "tlsid/spiffe"}, "who speaks HTTP links no gRPC"},
	{"github.com/hashicorp", []string{"discovery/consul", "tlsid/consulca", "internal/blocking"}, "who has no Consul links none"},
	{"github.com/spiffe/go-spiffe", []string{"tlsid/spiffe"}, "who has no SPIFFE Workload API links none"},
	{"go.opentelemetry.io/otel/sdk", []string{"mesh/telemetry/producer"}, "which SDK there is, if any, is the program's choice"},
	{"testing", []string{"mesh/meshtest", "discovery/discoverytest", "internal/consultest"}, "its flags do not belong into programs"},
	{"go.uber.org/goleak", nil, "it is for tests"},
}

// TestLinks looks at everything that a package links, however it gets there.
func TestLinks(t *testing.T) {
	for _, p := range packages(t) {
		name := short(p.ImportPath)
		if strings.HasPrefix(name, "examples/") {
			continue // programs may link what they show
		}
		for _, h := range heavies {
			if slices.Contains(h.only, name) {
				continue
			}
			for _, dep := range p.Deps {
				if below(dep, h.path) {
					t.Errorf("%s links %s: %s", name, dep, h.why)
				}
			}
		}
	}
}

// TestMeshSize tells how much the front door brings along. It asserts nothing:
// it is there to be looked at (go test -v).
func TestMeshSize(t *testing.T) {
	for _, p := range packages(t) {
		if short(p.ImportPath) != "mesh" {
			continue
		}
		own, others := 0, 0
		for _, dep := range p.Deps {
			switch {
			case below(dep, module):
				own++
			case !standard(dep):
				others++
			}
		}
		t.Logf("mesh links %d packages: %d of this module, %d of others, the standard library's for the rest", len(p.Deps), own, others)
	}
}
