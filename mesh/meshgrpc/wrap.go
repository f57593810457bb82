package meshgrpc

import (
	"context"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
)

// Wrap has the calls on a connection that was made otherwise obey the rules of a
// service: routes, faults, timeouts, retries, changes of headers; limits and
// ejection, as if the connection were the one endpoint of whatever destination a
// route chooses. It picks its endpoints itself, and secures its connections:
// what rules say of that has no effect, and nothing is mirrored. Calls to a
// service that no rule names pass unchanged.
//
// Service is as in the target of NewClient: ratings, or ratings:9080. Where the
// connection is a grpc.ClientConn, a status is told from a broken connection by
// its code alone: UNAVAILABLE is taken for the latter, unless it came in headers.
func Wrap(m *mesh.Mesh, service string, conn grpc.ClientConnInterface) (grpc.ClientConnInterface, error) {
	if _, err := serviceOf(scheme + ":///" + service); err != nil {
		return nil, err
	}
	w := &wrapped{client: newClient(m), conn: conn, service: service, name: "wrapped"}
	if c, ok := conn.(interface{ Target() string }); ok {
		w.name = c.Target()
	}
	return w, nil
}

type wrapped struct {
	client        *client
	conn          grpc.ClientConnInterface
	service, name string
}

func (w *wrapped) order(ctx context.Context, method string, opts []grpc.CallOption) order {
	return order{ctx: ctx, service: w.service, via: w.name, method: method, options: opts}
}

// Invoke implements grpc.ClientConnInterface.
func (w *wrapped) Invoke(ctx context.Context, method string, request, reply any, opts ...grpc.CallOption) error {
	invoke := func(ctx context.Context, method string, request, reply any, _ *grpc.ClientConn, opts ...grpc.CallOption) error {
		return w.conn.Invoke(ctx, method, request, reply, opts...)
	}
	return w.client.call(w.order(ctx, method, opts), request, reply, invoke)
}

// NewStream implements grpc.ClientConnInterface.
func (w *wrapped) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	open := func(ctx context.Context, desc *grpc.StreamDesc, _ *grpc.ClientConn, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		return w.conn.NewStream(ctx, desc, method, opts...)
	}
	return w.client.converse(w.order(ctx, method, opts), desc, open)
}

// heed ends the call when its caller leaves, or its time is up, where the connection
// does not say so and nobody receives any more.
func (s *stream) heed() {
	t := s.last // whose context ends with the stream, if not before
	context.AfterFunc(t.Context, func() { t.end(status.FromContextError(t.Err()).Err()) })
}

// received ends the call where the connection does not say that its stream has ended.
func (s *stream) received(err error) {
	switch {
	case err == io.EOF || err == nil && !s.desc.ServerStreams:
		s.last.end(nil)
	case err != nil:
		s.last.end(err)
	}
}
