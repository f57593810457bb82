package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"sync/atomic"
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

// tallied counts who watches at the moment.
type tallied struct {
	discovery.Source
	now *atomic.Int32
}

func (w tallied) Watch(ctx context.Context, s discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		w.now.Add(1)
		defer w.now.Add(-1)
		w.Source.Watch(ctx, s)(yield)
	}
}

// reached is a base that tells where requests go.
type reached struct{}

func (reached) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Status: r.URL.Host, Body: http.NoBody, Request: r}, nil
}

// A program that calls any number of hosts that are none of the mesh's leaves room for
// the watches of those that are.
func TestOfTheHostsThatNobodyKnowsOnlySomeAreWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		static, err := discovery.NewStatic(map[string][]discovery.Endpoint{"reviews": discovery.Addresses("10.0.0.1:80")})
		if err != nil {
			t.Fatal(err)
		}
		var watches atomic.Int32
		m, err := mesh.New(t.Context(), mesh.Config{Discovery: tallied{static, &watches}})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		rt := m.Transport(reached{})
		goesTo := func(host, want string) {
			t.Helper()
			r, _ := http.NewRequest("GET", "http://"+host+"/", nil)
			if resp, err := rt.RoundTrip(r); err != nil || resp.Status != want {
				t.Errorf("%s: got %v, %v; want it to go to %s", host, resp, err, want)
			}
		}
		for range 3 {
			for i := range 300 {
				host := fmt.Sprintf("%d.example.com", i)
				goesTo(host, host)
				goesTo("reviews", "10.0.0.1:80")
			}
			synctest.Wait()
			if n := watches.Load(); n != 101 {
				t.Errorf("%d watches, want 100 and that of reviews", n)
			}
		}

		if err := static.Set("0.example.com", discovery.Addresses("10.0.0.2:80")); err != nil { // is watched no more
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		goesTo("0.example.com", "10.0.0.2:80")
		if err := static.Set("299.example.com", discovery.Addresses("10.0.0.3:80")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		goesTo("299.example.com", "10.0.0.3:80")
	})
}

// onPort80 knows all hosts, on one port.
type onPort80 struct{}

func (onPort80) Watch(ctx context.Context, s discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		endpoints, err := discovery.Addresses("10.0.0.1:80"), error(nil)
		if s.Port != 80 {
			endpoints, err = nil, discovery.ErrUnknown
		}
		if yield(endpoints, err) {
			<-ctx.Done()
		}
	}
}

func TestAHostIsTakenForUnknownOnThatPortAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := mesh.New(t.Context(), mesh.Config{Discovery: onPort80{}})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		rt := m.Transport(reached{})
		for port := 81; port < 300; port++ {
			to := fmt.Sprintf("api.example.com:%d", port)
			r, _ := http.NewRequest("GET", "http://"+to+"/", nil)
			if resp, err := rt.RoundTrip(r); err != nil || resp.Status != to {
				t.Fatalf("%s: got %v, %v", to, resp, err)
			}
		}
		synctest.Wait()
		r, _ := http.NewRequest("GET", "http://api.example.com:80/", nil)
		if resp, err := rt.RoundTrip(r); err != nil || resp.Status != "10.0.0.1:80" {
			t.Errorf("got %v, %v", resp, err)
		}
	})
}
