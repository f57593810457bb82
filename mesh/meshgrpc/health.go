package meshgrpc

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/discovery"
)

// HealthChecks says how endpoints are asked for their health.
type HealthChecks struct {
	// Service is the name that grpc.health.v1 is asked for. Zero: the server's own
	// health.
	Service string
	// DialOptions make the connections, which are apart from those of calls:
	// credentials above all. Nil: plaintext.
	DialOptions []grpc.DialOption
	// Again is how long an endpoint that could not be asked is left alone. Zero: 5 s.
	Again time.Duration
}

// Healthy asks each endpoint that source knows for its health, by the Watch of
// grpc.health.v1, and yields it along: one that is not SERVING, or cannot be
// asked, is Unhealthy, and gets traffic only in a panic. Until an endpoint has
// answered, the source's word stands. One that does not implement the service is
// as the source says, and not asked again. What the source calls unhealthy or
// draining stays so.
//
//	mesh.Config{Discovery: meshgrpc.Healthy(source, meshgrpc.HealthChecks{})}
//
// Each service that is called has a connection to each of its endpoints. Ejection
// (outlierDetection) needs none, and learns from calls.
func Healthy(source discovery.Source, c HealthChecks) discovery.Source {
	c.Again = cmp.Or(c.Again, 5*time.Second)
	if c.DialOptions == nil {
		c.DialOptions = []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	}
	return &healthy{source, c}
}

type healthy struct {
	source discovery.Source
	checks HealthChecks
}

// Watch implements discovery.Source.
func (h *healthy) Watch(ctx context.Context, s discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		w := &ward{checks: &h.checks, news: make(chan news), beds: map[string]*bed{}}
		defer w.tasks.Wait()
		defer stop()
		told := make(chan struct{})
		w.tasks.Go(func() {
			defer close(told)
			for endpoints, err := range h.source.Watch(ctx, s) {
				w.tell(ctx, news{endpoints: endpoints, err: err, all: true})
			}
		})
		for w.step(ctx, told, yield) {
		}
	}
}

// news is what the source says, or an endpoint of itself.
type news struct {
	all       bool
	endpoints []discovery.Endpoint
	err       error

	bed     *bed
	serving bool
}

// A ward is the endpoints of one service, as one watch has them.
type ward struct {
	checks    *HealthChecks
	news      chan news
	tasks     sync.WaitGroup
	endpoints []discovery.Endpoint
	beds      map[string]*bed // by address
}

// A bed is an endpoint's.
type bed struct {
	address string
	leave   context.CancelFunc
	ill     bool // it says so, or says nothing
}

func (w *ward) tell(ctx context.Context, n news) {
	select {
	case w.news <- n:
	case <-ctx.Done():
	}
}

func (w *ward) step(ctx context.Context, told <-chan struct{}, yield func([]discovery.Endpoint, error) bool) bool {
	select {
	case n := <-w.news:
		return w.hear(ctx, n, yield)
	case <-told: // the follower starts anew
		return false
	case <-ctx.Done():
		return false
	}
}

func (w *ward) hear(ctx context.Context, n news, yield func([]discovery.Endpoint, error) bool) bool {
	switch {
	case n.all && n.err != nil:
		if errors.Is(n.err, discovery.ErrUnknown) {
			w.admit(ctx, nil)
		}
		return yield(nil, n.err)
	case n.all:
		w.admit(ctx, n.endpoints)
	case w.beds[n.bed.address] != n.bed || n.bed.ill == !n.serving:
		return true // nothing new, or of one who has left
	default:
		n.bed.ill = !n.serving
	}
	return yield(w.told(), nil)
}

// admit begins to ask who is new, and ceases to ask who has left.
func (w *ward) admit(ctx context.Context, endpoints []discovery.Endpoint) {
	w.endpoints = endpoints
	stay := map[string]*bed{}
	for _, e := range endpoints {
		if stay[e.Address] != nil { // listed before
			continue
		}
		b := w.beds[e.Address]
		if b == nil {
			b = w.ask(ctx, e.Address)
		}
		stay[e.Address] = b
	}
	for address, b := range w.beds {
		if stay[address] == nil {
			b.leave()
		}
	}
	w.beds = stay
}

// told is the endpoints with their health.
func (w *ward) told() []discovery.Endpoint {
	out := make([]discovery.Endpoint, len(w.endpoints))
	for i, e := range w.endpoints {
		if w.beds[e.Address].ill && e.Health == discovery.Healthy {
			e.Health = discovery.Unhealthy
		}
		out[i] = e
	}
	return out
}

func (w *ward) ask(ctx context.Context, address string) *bed {
	ctx, leave := context.WithCancel(ctx)
	b := &bed{address: address, leave: leave}
	w.tasks.Go(func() {
		defer leave()
		for ctx.Err() == nil {
			err := w.checks.watch(ctx, address, func(serving bool) { w.tell(ctx, news{bed: b, serving: serving}) })
			if status.Code(err) == codes.Unimplemented {
				w.tell(ctx, news{bed: b, serving: true})
				return
			}
			w.tell(ctx, news{bed: b})
			sleep(ctx, w.checks.Again)
		}
	})
	return b
}

// watch tells what an endpoint says of itself, until it says no more.
func (c *HealthChecks) watch(ctx context.Context, address string, tell func(serving bool)) error {
	target := address
	if !strings.HasPrefix(address, "unix:") {
		target = "passthrough:///" + address
	}
	conn, err := grpc.NewClient(target, c.DialOptions...)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stream, err := grpc_health_v1.NewHealthClient(conn).Watch(ctx, &grpc_health_v1.HealthCheckRequest{Service: c.Service})
	if err != nil {
		return err
	}
	for {
		said, err := stream.Recv()
		if err != nil {
			return err
		}
		tell(said.Status == grpc_health_v1.HealthCheckResponse_SERVING)
	}
}
