package meshtest

import (
	"net"
	"sync"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
)

// StartTCP adds an instance of a service that speaks a protocol of its own: serve gets
// each connection, on a goroutine of its own, and closes it. What still stands at the
// end of the test is broken then.
func (f *Fleet) StartTCP(service string, serve func(net.Conn), labels Labels) *Instance {
	f.tb.Helper()
	l := f.network.listen()
	f.take(l, l, serve)
	return f.add(service, discovery.Endpoint{Labels: labels}, l)
}

// StartMeshTCP is StartMesh for such a service: serve gets the connections that the
// policies let in, and mesh.PeerOf knows who has made them.
func (f *Fleet) StartMeshTCP(cfg mesh.Config, serve func(net.Conn)) *Instance {
	f.tb.Helper()
	m, e := f.join(cfg)
	l := f.network.listen()
	protected, err := m.ProtectTCP(l)
	if err != nil {
		f.tb.Fatal(err)
	}
	f.take(l, protected, serve)
	return f.add(cfg.Workload.Service, e, l)
}

// take serves the connections that accept, which is l or stands before it, accepts.
func (f *Fleet) take(l *listener, accept net.Listener, serve func(net.Conn)) {
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := accept.Accept()
			if err != nil {
				return
			}
			served.Go(func() { serve(c) })
		}
	})
	f.tb.Cleanup(func() {
		_ = accept.Close()
		l.enter(refusing)
		served.Wait()
	})
}
