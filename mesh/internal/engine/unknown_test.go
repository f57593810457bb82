package engine

import (
	"fmt"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// What passes through unchanged goes in the clear. A host that can only be the
// mesh's never does, even where the mesh cannot ask who it is.
func TestALocalHostIsNeverPassedOnUnasked(t *testing.T) {
	for name, spoil := range map[string]func(*Engine){
		"closed": (*Engine).Close,
		"crowded": func(e *Engine) {
			for i := range maxClusters {
				key := plan.ClusterKey{Host: fmt.Sprint(i)}
				e.clusters[key] = newCluster(e, e.Plan(), &plan.Cluster{Key: key})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			source, err := discovery.NewStatic(map[string][]discovery.Endpoint{"reviews": discovery.Addresses("10.0.0.1:80")})
			if err != nil {
				t.Fatal(err)
			}
			e, err := New(Config{Events: deaf{}, Discovery: source})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			spoil(e)
			for host, ours := range map[string]bool{"reviews": true, "reviews:80": true, "Reviews.default.svc.cluster.local.": true, "api.example.com": false} {
				c := &Call{Request: plan.Request{Method: "GET", Scheme: "http", Authority: host, Path: "/"}}
				got, err := e.Route(t.Context(), c)
				if err == nil && got {
					err = e.Do(t.Context(), c, unsent{})
				}
				if got != ours || ours && err == nil {
					t.Errorf("%s: ours is %t, %v; want %t", host, got, err, ours)
				}
			}
		})
	}
}

// unsent is a Wire of calls for which there is nobody.
type unsent struct{ Wire }

func (unsent) Prepare(*Call) {}
