package meshgrpc

import (
	"cmp"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// waits reports whether the call is to be begun anew, for its caller would rather wait
// than be told that nobody can be reached, and somebody might be.
func (r *rpc) waits(err error) bool {
	if !r.opts.wait || !r.unready(err) {
		return false
	}
	if r.conn.GetState() == connectivity.Shutdown {
		r.local = errClosing
	}
	return r.local == nil
}

var errClosing = status.Error(codes.Canceled, "the connection has been closed")

// unready reports whether a call was ended because nobody could be reached.
func (r *rpc) unready(err error) bool {
	if err == nil || r.local != nil {
		return false
	}
	e := r.client.mesh.Refused(&r.call, err)
	return errors.Is(e, mesh.ErrNoHealthy) || errors.Is(e, mesh.ErrConnect)
}

// respond changes the answer's headers, for those who look at them.
func (r *rpc) respond() {
	for _, header := range r.opts.headers {
		*header = r.changed(*header)
	}
}

// respond is that of a stream. Headers are filled in before its end: who notices that,
// perhaps gRPC's own goroutine, may come after whoever has been told of it.
func (s *stream) respond() {
	s.header = s.changed(s.header)
	for _, header := range s.opts.headers {
		*header = nil
		if s.header != nil {
			*header = s.header.Copy()
		}
	}
}

// sent is the request as the rules have made it.
func (r *rpc) sent() *plan.Request {
	q := r.call.Request
	q.Path, q.Authority = r.path, cmp.Or(r.authority, q.Authority)
	if r.owned {
		q.Header = r.metadata
	}
	return &q
}

// changed is the answer's header as the rules want it. What they change is a copy:
// whose map it is on a connection of the caller's own, nobody knows.
func (r *rpc) changed(header metadata.MD) metadata.MD {
	c := &r.call
	if header == nil || len(c.Destination.Response) == 0 && c.Cookie == nil {
		return header
	}
	header = header.Copy()
	v := r.values()
	v.Upstream, v.Status = c.Host.Address(), c.Outcome.Status
	if c.Destination.Response.Asks() {
		v.Request = r.sent()
	}
	c.Destination.Response.ApplyToResponse(header, v)
	if c.Cookie != nil {
		header.Append("set-cookie", c.Cookie.Name+"="+c.Key)
	}
	return header
}
