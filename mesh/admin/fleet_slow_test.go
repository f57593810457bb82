package admin_test

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/admin"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
)

// A forgetful source says nothing of some services.
type forgetful struct{ discovery.Source }

func (s forgetful) Watch(ctx context.Context, service discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	if !strings.HasPrefix(service.Name, "forgotten") {
		return s.Source.Watch(ctx, service)
	}
	return func(func([]discovery.Endpoint, error) bool) { <-ctx.Done() }
}

// TestFleetDoesNotWaitForWhatDiscoveryForgot: services of which discovery says
// nothing do not keep the others from being asked.
func TestFleetDoesNotWaitForWhatDiscoveryForgot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := meshtest.New(t)
		f.StartEndpoint("reviews", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, `{"instance": {"id": "a"}}`)
		}), discovery.Endpoint{Labels: meshtest.Labels{admin.PortLabel: "80"}})
		m := f.Mesh(mesh.Config{Discovery: forgetful{f.Discovery()}})
		s := &scene{Fleet: f, t: t, mesh: m, pages: admin.New(m, admin.Config{Fleet: admin.Fleet{
			Services: []string{"forgotten1", "forgotten2", "forgotten3", "forgotten4", "reviews"},
			Client:   &http.Client{Transport: f.Base()},
		}})}
		var got admin.Topology
		if s.read("/api/topology?fleet=1", &got); len(got.Instances) != 1 || got.Instances[0].Instance == nil {
			t.Errorf("%+v", got.Instances)
		}
	})
}

// TestFleetWaitsAsLongAsItIsTold: for instances that never answer.
func TestFleetWaitsAsLongAsItIsTold(t *testing.T) {
	for timeout, want := range map[time.Duration]time.Duration{0: 3 * time.Second, time.Minute: time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			f := meshtest.New(t)
			f.StartEndpoint("reviews", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
			}), discovery.Endpoint{Labels: meshtest.Labels{admin.PortLabel: "80"}})
			m := f.Mesh(mesh.Config{})
			s := &scene{Fleet: f, t: t, mesh: m, pages: admin.New(m, admin.Config{Fleet: admin.Fleet{
				Services: []string{"reviews"}, Client: &http.Client{Transport: f.Base()}, Timeout: timeout,
			}})}
			var got admin.Topology
			begun := time.Now()
			s.read("/api/topology?fleet=1", &got)
			if took := time.Since(begun); took != want || len(got.Instances) != 1 || got.Instances[0].Error == "" {
				t.Errorf("%v: after %v: %+v", timeout, took, got.Instances)
			}
		})
	}
}
