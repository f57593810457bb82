package mesh_test

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// wordless is a source that never says anything.
type wordless struct{}

func (wordless) Watch(ctx context.Context, _ discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(func([]discovery.Endpoint, error) bool) { <-ctx.Done() }
}

func TestASilentSourceHoldsUpTheFirstRequestOnlyAndNoForeignHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := mesh.New(t.Context(), mesh.Config{Discovery: wordless{}})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		rt := m.Transport(canned{})
		for i, test := range []struct {
			host string
			took time.Duration
			want error
		}{
			{"api.example.com", 5 * time.Second, nil}, // the source may yet claim it
			{"api.example.com", 0, nil},
			{"reviews", 5 * time.Second, mesh.ErrNoHealthy}, // nobody else's
			{"reviews", 0, mesh.ErrNoHealthy},
		} {
			r, _ := http.NewRequest("GET", "http://"+test.host+"/", nil)
			began := time.Now()
			_, err := rt.RoundTrip(r)
			if took := time.Since(began); !errors.Is(err, test.want) || took != test.took {
				t.Errorf("%d: %s: got %v after %v, want %v after %v", i, test.host, err, took, test.want, test.took)
			}
		}
	})
}

// Instances that lack the label, rather than instances that are gone, are what a newcomer's
// canary mostly fails for.
func TestASubsetThatNobodyIsInSaysWhichLabelsAreWanted(t *testing.T) {
	fleet := meshtest.New(t)
	fleet.Start("reviews", http.NotFoundHandler(), meshtest.Labels{"version": "v1"})
	_, err := fleet.Client(mesh.Config{Rules: rules.Static(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [{name: canary, labels: {version: v2, app: reviews}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: canary}}]}]}
`)}).Get("http://reviews/")
	if want := "no endpoint has the subset's labels, app=reviews,version=v2"; !errors.Is(err, mesh.ErrNoHealthy) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}
