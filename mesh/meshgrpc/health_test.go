package meshgrpc_test

import (
	"context"
	"iter"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/discoverytest"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
)

func (f *fleet) checks() meshgrpc.HealthChecks {
	return meshgrpc.HealthChecks{DialOptions: []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) { return f.dial(ctx, "tcp", address) }),
	}}
}

func TestEndpointsThatSayThatTheyAreIllGetNoCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		states := map[string]*health.Server{}
		for _, version := range []string{"v1", "v2"} {
			states[version] = health.NewServer()
			i := f.prepare("ratings", discovery.Endpoint{Labels: map[string]string{"version": version}})
			grpc_health_v1.RegisterHealthServer(i.server, states[version])
			i.open(nil)
		}
		f.start("ratings", "without")
		c := f.clientOf(mesh.Config{Discovery: meshgrpc.Healthy(f.source, f.checks())}, "ratings")
		seen := func() map[string]bool {
			got := map[string]bool{}
			for range 100 {
				got[call(t, c)] = true
			}
			return got
		}
		if got := seen(); len(got) != 3 {
			t.Errorf("got %v", got)
		}
		states["v1"].SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
		synctest.Wait()
		if got := seen(); len(got) != 2 || got["v1"] {
			t.Errorf("got %v", got)
		}
		states["v1"].SetServingStatus("", grpc_health_v1.HealthCheckResponse_SERVING)
		synctest.Wait()
		if got := seen(); len(got) != 3 {
			t.Errorf("got %v", got)
		}
	})
}

func TestAnEndpointThatCannotBeAskedIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.start("ratings", "v1")
		i.refuse()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var got []discovery.Health
		began := time.Now()
		for endpoints, err := range meshgrpc.Healthy(f.source, f.checks()).Watch(ctx, discovery.Service{Host: "ratings", Name: "ratings"}) {
			if err != nil {
				t.Error(err)
			}
			got = append(got, endpoints[0].Health)
			if len(got) == 2 {
				i.comeBack()
			}
			if len(got) == 3 {
				break
			}
		}
		if took := time.Since(began); got[0] != discovery.Healthy || got[1] != discovery.Unhealthy || got[2] != discovery.Healthy || took > 6*time.Second {
			t.Errorf("got %v in %v", got, took)
		}
	})
}

// A pair is a source of somebody's own, which knows two endpoints.
type pair [2]discovery.Endpoint

func (p pair) Watch(ctx context.Context, _ discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		if yield(p[:], nil) {
			<-ctx.Done()
		}
	}
}

// Two endpoints with one address are one server, which is asked once.
func TestAnAddressThatIsListedTwiceIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		i := f.prepare("ratings", discovery.Endpoint{Labels: map[string]string{"version": "v1"}})
		grpc_health_v1.RegisterHealthServer(i.server, health.NewServer())
		i.open(nil)
		again := i.endpoint
		again.Labels = map[string]string{"version": "v2"}
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			for range meshgrpc.Healthy(pair{i.endpoint, again}, f.checks()).Watch(ctx, discovery.Service{Host: "ratings", Name: "ratings"}) {
			}
		}()
		synctest.Wait()
		if open, _ := i.connections(); open != 1 {
			t.Errorf("%d connections", open)
		}
		cancel()
	})
}

func TestHealthyIsASourceLikeAnyOther(t *testing.T) {
	discoverytest.RunPaused(t, func(t *testing.T) discoverytest.Harness {
		source, err := discovery.NewStatic(nil)
		if err != nil {
			t.Fatal(err)
		}
		refuse := grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return nil, net.ErrClosed })
		return discoverytest.Harness{
			Source: meshgrpc.Healthy(source, meshgrpc.HealthChecks{DialOptions: []grpc.DialOption{refuse, grpc.WithTransportCredentials(insecure.NewCredentials())}}),
			Set: func(service string, endpoints []discovery.Endpoint) {
				if err := source.Set(service, endpoints); err != nil {
					t.Error(err)
				}
			},
			Remove: source.Remove,
		}
	})
}
