package fleet

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"
)

// pages are where a process shows its mesh, to who is on this machine: a port of
// their own, which no caller of the service can reach.
type pages struct {
	listener net.Listener
	http     *http.Server
	done     chan struct{} // closed when http serves no more
}

func openPages() (*pages, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &pages{listener: l}, nil
}

func (p *pages) port() string {
	return strconv.Itoa(p.listener.Addr().(*net.TCPAddr).Port)
}

func (p *pages) url() string { return "http://" + p.listener.Addr().String() + "/" }

// serve shows a mesh until close. Other processes' pages are found by discovery,
// whose endpoints say at which port they are.
func (p *pages) serve(h http.Handler, failed func(error)) {
	p.http = &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	p.done = make(chan struct{})
	go func() {
		defer close(p.done)
		if err := p.http.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
			failed(err)
		}
	}()
}

// close may be called on pages that have not come far, and on none.
func (p *pages) close() {
	switch {
	case p == nil:
	case p.http == nil:
		_ = p.listener.Close()
	default:
		_ = p.http.Close()
		<-p.done
	}
}
