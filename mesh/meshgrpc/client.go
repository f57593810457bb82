package meshgrpc

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/internal/inside"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// NewClient makes a connection to a service of the mesh: mesh:///ratings, or
// mesh:///ratings:9080. Options of the caller's own come after those of
// DialOptions, and so before them where only one can hold.
func NewClient(m *mesh.Mesh, target string, opts ...grpc.DialOption) (*grpc.ClientConn, error) {
	if _, err := serviceOf(target); err != nil {
		return nil, err
	}
	return grpc.NewClient(target, slices.Concat(DialOptions(m), keepAlive(m, target), opts)...)
}

// keepAlive is the http2KeepAlive of the destination that a service has by
// default. gRPC takes it once for all connections.
func keepAlive(m *mesh.Mesh, target string) []grpc.DialOption {
	service, err := serviceOf(target)
	if err != nil {
		return nil
	}
	p := m.Inside().Engine.Plan()
	to := p.Lookup(service)
	to.Protocol = plan.GRPC
	d := &p.Default(to.Name).Routes[0].Destinations[0]
	c := p.Cluster(p.Key(d, to)).Connection
	if c.PingInterval <= 0 {
		return nil
	}
	return []grpc.DialOption{grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: c.PingInterval, Timeout: c.PingTimeout})}
}

// DialOptions makes a connection of grpc.NewClient one of the mesh; its target is
// mesh:///service or mesh:///service:port.
//
// Interceptors that are chained to it run once for each try, the one of
// grpc.WithUnaryInterceptor or grpc.WithStreamInterceptor once for each call.
func DialOptions(m *mesh.Mesh) []grpc.DialOption {
	c := newClient(m)
	return []grpc.DialOption{
		grpc.WithResolvers(resolvers{}),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"` + balancerName + `": {}}]}`),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(), // the engine retries
		grpc.WithContextDialer(dial),
		grpc.WithTransportCredentials(clientCredentials{}),
		grpc.WithStaticStreamWindowSize(streamWindow),
		grpc.WithStaticConnWindowSize(connWindow),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: reconnect, MinConnectTimeout: connectTimeout}),
		grpc.WithChainUnaryInterceptor(c.unary),
		grpc.WithChainStreamInterceptor(c.stream),
	}
}

// What a server may send before it has been read, as net/http's client has it, and
// so the mesh over HTTP. gRPC would find out by itself how much is of use, with a
// PING and its answer in each round trip: a frame more for each call of a caller
// who makes one after the other.
const (
	streamWindow = 4 << 20
	connWindow   = 1 << 30
)

// A host that could not be connected to fails the tries that are sent there at
// once for as long as this. It is short, for no connection is made unless a call
// has picked the host: what keeps calls off it is its circuit.
var reconnect = backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second}

// connectTimeout bounds what no rule bounds: the server's first word.
const connectTimeout = 10 * time.Second

// A client is the calling side of a Mesh.
type client struct {
	mesh    inside.Mesh
	unaries sync.Pool               // of *unaryCall
	doubt   atomic.Int64            // until when calls ask for headers, Unix nanoseconds
	target  atomic.Pointer[address] // that was called last; nil: none was
}

func newClient(m *mesh.Mesh) *client {
	c := &client{mesh: m.Inside()}
	c.unaries.New = func() any { return newUnaryCall(c) }
	return c
}

const scheme = "mesh"

// serviceOf is the service of a target, with the port if one is written.
func serviceOf(target string) (string, error) {
	service, ok := strings.CutPrefix(target, scheme+":///")
	if !ok || service == "" || strings.ContainsAny(service, "/?#") {
		return "", fmt.Errorf("meshgrpc: target %q: want mesh:///service or mesh:///service:port", target)
	}
	return service, nil
}

// An address is a target, and the service that it names.
type address struct{ target, service string }

// serviceOf is serviceOf of a connection's target. There is one connection as a
// rule, whose target is taken apart once.
func (c *client) serviceOf(conn *grpc.ClientConn) (string, error) {
	target := conn.Target()
	if a := c.target.Load(); a != nil && a.target == target {
		return a.service, nil
	}
	service, err := serviceOf(target)
	if err == nil {
		c.target.Store(&address{target, service})
	}
	return service, err
}

// sleep waits for d and reports false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
