package meshgrpc

import (
	"cmp"
	"context"
	"reflect"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

const mirrorTimeout = 15 * time.Second // where the route has none

// Mirror implements engine.Wire: streams are not mirrored, which is counted.
func (s *stream) Mirror(_ *engine.Call, m *plan.Mirror) { s.client.dropped(m) }

func (c *client) dropped(m *plan.Mirror) { c.mesh.MirrorDropped(m.Route.Destinations[0].Host) }

// Mirror implements engine.Wire. The copy may outlive the call, and so shares no
// message with it: one that is not protobuf's cannot be copied. A connection of
// the caller's own leads nowhere else.
func (x *unaryCall) Mirror(_ *engine.Call, m *plan.Mirror) {
	request, ok := x.message.(proto.Message)
	reply := reflect.TypeOf(x.reply)
	if x.wrapped() || !ok || reply == nil || reply.Kind() != reflect.Pointer {
		x.client.dropped(m)
		return
	}
	c := &copied{
		client: x.client, order: x.order, invoke: x.invoke, route: m.Route, target: x.call.Target,
		authority: x.authority, metadata: x.sent(),
		request: proto.Clone(request), reply: reflect.New(reply.Elem()).Interface(),
	}
	c.ctx, c.method, c.options = context.WithoutCancel(x.ctx), x.path, nil
	c.client.mesh.Engine.Shadow(m.Route.Destinations[0].Host, c.run)
}

// sent is a copy of what is sent.
func (x *unaryCall) sent() metadata.MD {
	md := metadata.MD(x.call.Request.Header).Copy()
	if x.owned {
		md = x.metadata.Copy()
	}
	x.report.Inject(x.ctx, nil, telemetry.Carrier{Header: md, Lower: true}) // the copy is part of the call's trace
	return md
}

// A copied call is a mirrored one, detached: neither the caller's context nor its
// options have anything to do with it.
type copied struct {
	order
	client         *client
	invoke         grpc.UnaryInvoker
	route          *plan.Route
	target         plan.Target
	authority      string
	metadata       metadata.MD
	request, reply any
}

// run sends the copy on its own journey and throws the answer away.
func (c *copied) run(life context.Context) {
	ctx, cancel := context.WithTimeout(c.ctx, cmp.Or(c.route.Timeout, mirrorTimeout))
	defer cancel()
	defer context.AfterFunc(life, cancel)()
	c.ctx = metadata.NewOutgoingContext(ctx, c.metadata)
	x := c.client.unaries.Get().(*unaryCall)
	defer x.free()
	x.reply, x.invoke = c.reply, c.invoke
	x.begin(c.client, c.order)
	x.message = c.request
	x.address(c.authority)
	call := &x.call
	call.Shadow, call.Route, call.Target = true, c.route, c.target
	_ = x.end(c.client.mesh.Engine.Do(c.ctx, call, x)) // nobody wants to know
}
