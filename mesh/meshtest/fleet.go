package meshtest

import (
	"context"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/tlsid"
)

// Labels are an instance's labels: version=v1.
type Labels = map[string]string

// A Fleet is services in memory.
type Fleet struct {
	tb        testing.TB
	network   network
	discovery *discovery.Static
	ca        func() *tlsid.CA

	mu        sync.Mutex // orders changes of instances with what discovery is told
	instances map[string][]*Instance
}

// New returns a Fleet without services, which ends with the test.
func New(tb testing.TB) *Fleet {
	tb.Helper()
	source, err := discovery.NewStatic(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return &Fleet{
		tb:        tb,
		network:   network{listeners: map[string]*listener{}},
		discovery: source,
		ca:        sync.OnceValue(func() *tlsid.CA { return newCA(tb) }),
		instances: map[string][]*Instance{},
	}
}

func newCA(tb testing.TB) *tlsid.CA {
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		tb.Fatal(err)
	}
	return ca
}

// Discovery knows the services of the fleet.
func (f *Fleet) Discovery() *discovery.Static { return f.discovery }

// CA vouches for the workloads of the fleet. Its trust domain is cluster.local.
func (f *Fleet) CA() *tlsid.CA { return f.ca() }

// Identity is the source of a workload's credentials, by the fleet's CA: the name
// is a service account's, as tlsid.CA.Workload takes it.
func (f *Fleet) Identity(name string) tlsid.Source { return f.ca().Workload(name) }

// Mesh returns a Mesh of the fleet: where cfg leaves them out, its discovery and
// its network are the fleet's.
func (f *Fleet) Mesh(cfg mesh.Config) *mesh.Mesh {
	f.tb.Helper()
	if cfg.Discovery == nil {
		cfg.Discovery = f.discovery
	}
	if cfg.DialContext == nil {
		cfg.DialContext = f.network.dial
	}
	m, err := mesh.New(context.Background(), cfg)
	if err != nil {
		f.tb.Fatal(err)
	}
	f.tb.Cleanup(func() { _ = m.Close() })
	return m
}

// Client returns an http.Client whose requests go through a new Mesh. It
// follows no redirects.
func (f *Fleet) Client(cfg mesh.Config) *http.Client {
	f.tb.Helper()
	return &http.Client{
		Transport:     f.Mesh(cfg).Transport(f.Base()),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Base is an http.Transport on the fleet's network; requests that are not the
// mesh's end there, and so do not leave the process.
func (f *Fleet) Base() *http.Transport {
	t := &http.Transport{DialContext: f.network.dial}
	f.tb.Cleanup(t.CloseIdleConnections)
	return t
}

// An Instance is one endpoint of a service.
type Instance struct {
	fleet    *Fleet
	listener *listener
	service  string
	endpoint discovery.Endpoint
}

// Start adds an instance of a service. It speaks HTTP/1.1, and HTTP/2 in the
// clear.
func (f *Fleet) Start(service string, h http.Handler, labels Labels) *Instance {
	return f.StartEndpoint(service, h, discovery.Endpoint{Labels: labels})
}

// StartEndpoint is Start for an instance with a locality, a weight, a health; its
// Address is set.
func (f *Fleet) StartEndpoint(service string, h http.Handler, e discovery.Endpoint) *Instance {
	f.tb.Helper()
	l := f.network.listen()
	return f.serve(service, h, e, l, l)
}

// StartMesh adds an instance that has a mesh of its own before it, as a service
// in production has: cfg.Workload says whose instance it is and what its labels
// are, its port obeys the PeerAuthentications, and h gets the requests that
// policies let in. Where cfg has no Identity it proves to be cfg.Workload.Service,
// by the fleet's CA; the fleet's discovery tells callers so.
func (f *Fleet) StartMesh(cfg mesh.Config, h http.Handler) *Instance {
	f.tb.Helper()
	m, e := f.join(cfg)
	l := f.network.listen()
	protected, err := m.Protect(l)
	if err != nil {
		f.tb.Fatal(err)
	}
	return f.serve(cfg.Workload.Service, m.Handler(h), e, l, protected)
}

// join makes the mesh of an instance, and what discovery is to say of that.
func (f *Fleet) join(cfg mesh.Config) (*mesh.Mesh, discovery.Endpoint) {
	f.tb.Helper()
	w := cfg.Workload
	if cfg.Identity == nil {
		cfg.Identity = f.Identity(w.Service)
	}
	m := f.Mesh(cfg)
	return m, discovery.Endpoint{Labels: w.Labels, Locality: w.Locality, Identity: m.Status().Identity.ID}
}

// serve starts a server behind accept, which is l or stands before it.
func (f *Fleet) serve(service string, h http.Handler, e discovery.Endpoint, l *listener, accept net.Listener) *Instance {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	protocols.SetHTTP2(true)
	var present attendance
	server := &http.Server{Handler: present.taken(h), Protocols: protocols}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(accept)
	}()
	f.tb.Cleanup(func() {
		_ = server.Close()
		<-served
		present.end()
	})
	return f.add(service, e, l)
}

// add makes an instance known to discovery.
func (f *Fleet) add(service string, e discovery.Endpoint, l *listener) *Instance {
	f.tb.Helper()
	e.Address = l.address
	i := &Instance{fleet: f, listener: l, service: service, endpoint: e}
	f.edit(service, func(all []*Instance) []*Instance { return append(all, i) })
	return i
}

// edit changes the instances of a service and tells discovery.
func (f *Fleet) edit(service string, change func([]*Instance) []*Instance) {
	f.tb.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instances[service] = change(f.instances[service])
	endpoints := make([]discovery.Endpoint, 0, len(f.instances[service]))
	for _, i := range f.instances[service] {
		endpoints = append(endpoints, i.endpoint)
	}
	if err := f.discovery.Set(service, endpoints); err != nil {
		f.tb.Error(err)
	}
}

// Address is the instance's, as observers and errors name it.
func (i *Instance) Address() string { return i.endpoint.Address }

// Refuse makes connections refused, as by a host without a server; those that
// exist break.
func (i *Instance) Refuse() { i.listener.enter(refusing) }

// Silence makes connections hang, as packets into a black hole do; those that
// exist break.
func (i *Instance) Silence() { i.listener.enter(silent) }

// Recover ends Refuse and Silence.
func (i *Instance) Recover() { i.listener.enter(accepting) }

// Withdraw takes the instance out of discovery; it goes on serving.
func (i *Instance) Withdraw() {
	i.fleet.edit(i.service, func(all []*Instance) []*Instance {
		return slices.DeleteFunc(slices.Clone(all), func(other *Instance) bool { return other == i })
	})
}

// Describe changes what discovery says of the instance; the address stays.
func (i *Instance) Describe(change func(e *discovery.Endpoint)) {
	i.fleet.edit(i.service, func(all []*Instance) []*Instance {
		e := i.endpoint
		e.Labels = maps.Clone(e.Labels)
		change(&e)
		e.Address = i.endpoint.Address
		i.endpoint = e
		return all
	})
}
