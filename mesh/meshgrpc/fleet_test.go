package meshgrpc_test

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/test/bufconn"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fleet is gRPC services in memory.
type fleet struct {
	tb     testing.TB
	source *discovery.Static

	mu        sync.Mutex
	next      int
	open      map[string]map[*counted]bool // connections that callers have, by address
	dials     map[string]int
	listeners map[string]*bufconn.Listener
	instances map[string][]*instance
}

func newFleet(tb testing.TB) *fleet {
	source, err := discovery.NewStatic(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return &fleet{tb: tb, source: source, listeners: map[string]*bufconn.Listener{}, instances: map[string][]*instance{}, open: map[string]map[*counted]bool{}, dials: map[string]int{}}
}

// dial is a mesh.Config.DialContext.
func (f *fleet) dial(ctx context.Context, _, address string) (net.Conn, error) {
	f.mu.Lock()
	lis := f.listeners[address]
	f.mu.Unlock()
	if lis == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	c, err := lis.DialContext(ctx)
	if err != nil {
		return nil, err
	}
	own := &counted{Conn: c, fleet: f, address: address}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open[address] == nil {
		f.open[address] = map[*counted]bool{}
	}
	f.open[address][own] = true
	f.dials[address]++
	return own, nil
}

// connections are how many there are to the instance, and how many there were.
func (i *instance) connections() (open, ever int) {
	i.fleet.mu.Lock()
	defer i.fleet.mu.Unlock()
	return len(i.fleet.open[i.endpoint.Address]), i.fleet.dials[i.endpoint.Address]
}

// cut breaks the connections to the instance.
func (i *instance) cut() {
	i.fleet.mu.Lock()
	conns := slices.Collect(maps.Keys(i.fleet.open[i.endpoint.Address]))
	i.fleet.mu.Unlock()
	for _, c := range conns {
		_ = c.Conn.Close()
	}
}

// hang swallows what is sent to the instance from now on.
func (i *instance) hang() {
	i.fleet.mu.Lock()
	defer i.fleet.mu.Unlock()
	for c := range i.fleet.open[i.endpoint.Address] {
		c.hung.Store(true)
	}
}

// clog has what is written to the instance's connections from now on wait for
// release, and fail.
func (i *instance) clog() (release func()) {
	i.fleet.mu.Lock()
	defer i.fleet.mu.Unlock()
	gate := make(chan struct{})
	for c := range i.fleet.open[i.endpoint.Address] {
		c.clogged.Store(&gate)
	}
	return func() { close(gate) }
}

type counted struct {
	net.Conn
	fleet   *fleet
	address string
	hung    atomic.Bool
	clogged atomic.Pointer[chan struct{}]
}

func (c *counted) Write(p []byte) (int, error) {
	if c.hung.Load() {
		return len(p), nil
	}
	if gate := c.clogged.Load(); gate != nil {
		<-*gate
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func (c *counted) Close() error {
	c.fleet.mu.Lock()
	delete(c.fleet.open[c.address], c)
	c.fleet.mu.Unlock()
	return c.Conn.Close()
}

// An instance is an endpoint of a service.
type instance struct {
	fleet    *fleet
	service  string
	endpoint discovery.Endpoint
	server   *grpc.Server
	double   *double
	away     *bufconn.Listener // that connections are refused at
}

// start adds an instance that does what its double is told to.
func (f *fleet) start(service, version string, opts ...grpc.ServerOption) *instance {
	return f.serve(service, discovery.Endpoint{Labels: map[string]string{"version": version}}, nil, opts...)
}

// serve adds an instance whose connections come through wrap, if there is one.
func (f *fleet) serve(service string, e discovery.Endpoint, wrap func(net.Listener) net.Listener, opts ...grpc.ServerOption) *instance {
	i := f.prepare(service, e, opts...)
	i.open(wrap)
	return i
}

// prepare makes an instance that nobody can reach yet.
func (f *fleet) prepare(service string, e discovery.Endpoint, opts ...grpc.ServerOption) *instance {
	f.mu.Lock()
	f.next++
	e.Address = fmt.Sprintf("10.0.%d.%d:9080", f.next>>8, f.next&0xff)
	f.mu.Unlock()
	i := &instance{fleet: f, service: service, endpoint: e, server: grpc.NewServer(opts...), double: newDouble(e.Address, e.Labels["version"])}
	testpb.RegisterTestServiceServer(i.server, i.double)
	return i
}

func (i *instance) open(wrap func(net.Listener) net.Listener) {
	i.listen(wrap)
	i.fleet.edit(i.service, func(all []*instance) []*instance { return append(all, i) })
}

func (i *instance) listen(wrap func(net.Listener) net.Listener) {
	lis := bufconn.Listen(1 << 20)
	i.fleet.mu.Lock()
	i.fleet.listeners[i.endpoint.Address] = lis
	i.fleet.mu.Unlock()
	var accept net.Listener = at{lis, i.endpoint.Address}
	if wrap != nil {
		accept = wrap(accept)
	}
	var served sync.WaitGroup
	served.Go(func() { _ = i.server.Serve(accept) })
	i.fleet.tb.Cleanup(func() {
		i.server.Stop()
		served.Wait()
	})
}

// at is a listener whose connections know their address.
type at struct {
	net.Listener
	address string
}

type atConn struct {
	net.Conn
	address string
}

func (l at) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return atConn{c, l.address}, err
}
func (l at) Addr() net.Addr           { return net.TCPAddrFromAddrPort(mustAddrPort(l.address)) }
func (c atConn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(mustAddrPort(c.address)) }
func (c atConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(mustAddrPort("10.9.9.9:40000")) }

// edit changes the instances of a service and tells discovery.
func (f *fleet) edit(service string, change func([]*instance) []*instance) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instances[service] = change(f.instances[service])
	endpoints := make([]discovery.Endpoint, 0, len(f.instances[service]))
	for _, i := range f.instances[service] {
		endpoints = append(endpoints, i.endpoint)
	}
	if err := f.source.Set(service, endpoints); err != nil {
		f.tb.Error(err)
	}
}

// withdraw takes the instance out of discovery; it goes on serving.
func (i *instance) withdraw() {
	i.fleet.edit(i.service, func(all []*instance) []*instance {
		return slices.DeleteFunc(slices.Clone(all), func(o *instance) bool { return o == i })
	})
}

// refuse makes connections refused; those that exist stay.
func (i *instance) refuse() {
	i.fleet.mu.Lock()
	defer i.fleet.mu.Unlock()
	i.away = i.fleet.listeners[i.endpoint.Address]
	delete(i.fleet.listeners, i.endpoint.Address)
}

// comeBack ends refuse.
func (i *instance) comeBack() {
	i.fleet.mu.Lock()
	defer i.fleet.mu.Unlock()
	i.fleet.listeners[i.endpoint.Address] = i.away
}

// die ends the instance and breaks what is connected.
func (i *instance) die() {
	i.refuse()
	i.server.Stop()
}

func (f *fleet) mesh(cfg mesh.Config) *mesh.Mesh {
	f.tb.Helper()
	if cfg.Discovery == nil {
		cfg.Discovery = f.source
	}
	cfg.DialContext = f.dial
	m, err := mesh.New(context.Background(), cfg)
	if err != nil {
		f.tb.Fatal(err)
	}
	f.tb.Cleanup(func() { _ = m.Close() })
	return m
}

func (f *fleet) dialMesh(m *mesh.Mesh, service string, opts ...grpc.DialOption) *grpc.ClientConn {
	f.tb.Helper()
	conn, err := meshgrpc.NewClient(m, "mesh:///"+service, opts...)
	if err != nil {
		f.tb.Fatal(err)
	}
	f.tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

// client calls a service by rules.
func (f *fleet) client(service, documents string, opts ...grpc.DialOption) testpb.TestServiceClient {
	f.tb.Helper()
	return f.clientOf(mesh.Config{Rules: rules.Static(documents)}, service, opts...)
}

func (f *fleet) clientOf(cfg mesh.Config, service string, opts ...grpc.DialOption) testpb.TestServiceClient {
	f.tb.Helper()
	return testpb.NewTestServiceClient(f.dialMesh(f.mesh(cfg), service, opts...))
}
