package fleet

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/admin"
)

// A server is one process of the fleet. In real life it would be a container,
// and would start its mesh in main.
type server struct {
	Deployment
	listener net.Listener
	mesh     *mesh.Mesh
	client   *http.Client
	pages    *pages
	http     *http.Server
	done     chan struct{} // closed when http serves no more
}

func (s *server) address() string { return s.listener.Addr().String() }

// serve starts to answer, and to show its mesh. Handler lets in whom the policies
// let in, and takes over the deadline that a caller hands on.
func (s *server) serve(h http.Handler, event func(string, ...any)) {
	s.pages.serve(admin.New(s.mesh, admin.Config{}), func(err error) { event("the pages of %s: %v", s.Service, err) })
	s.http = &http.Server{
		Handler:           s.mesh.Handler(h),
		Protocols:         bothProtocols(),
		ReadHeaderTimeout: 5 * time.Second,
		// Callers that begin at once open more connections than HTTP/2 needs,
		// and close the rest again: net/http would write a line for each.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	s.done = make(chan struct{})
	go func() {
		defer close(s.done)
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			event("%s %s at %s has stopped: %v", s.Service, s.Version, s.address(), err)
		}
	}()
}

// bothProtocols is HTTP/1.1 and HTTP/2, which callers agree on in their TLS
// handshake: the rule for reviews says h2UpgradePolicy UPGRADE. Without TLS they
// may speak it from the first byte.
func bothProtocols() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return &p
}

// close may be called on a server that has not come far.
func (s *server) close() {
	s.pages.close() // first: who listens to a mesh would outlive it
	if s.http == nil {
		_ = s.listener.Close()
	} else {
		_ = s.http.Close() // and the listener with it
		<-s.done
	}
	if s.mesh != nil {
		_ = s.mesh.Close()
	}
}
