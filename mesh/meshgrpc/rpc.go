package meshgrpc

import (
	"context"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
)

// An order is what a caller wants.
type order struct {
	ctx     context.Context
	service string           // with the port if one is written
	conn    *grpc.ClientConn // nil: the call goes by a connection of the caller's own
	via     string           // its name
	method  string
	options []grpc.CallOption
	past    engine.Past // of the rounds before
}

// An rpc is one call on its journey, as unary calls and streams have it in
// common. It is most of an engine.Wire.
type rpc struct {
	report report.Outbound
	flight engine.Flight // its place among those under way
	trip                 // the rest is of one call alone
}

// A trip is what an rpc knows of one call.
type trip struct {
	order
	call   engine.Call
	about  *report.Attempt // of the last try; nil: nobody reads it
	client *client
	opts   options

	path      string      // the method that is sent
	authority string      // that is sent; "": the connection's
	metadata  metadata.MD // that is sent, if owned; else the caller's own
	owned     bool
	last      *try
	message   any            // of a unary call
	perTry    bool           // the limit of the try is a rule's for a single one
	counted   bool           // its end has been told
	after     time.Duration  // there was an answer to the last try; 0: none, or nobody asks
	local     error          // why a try failed on this side, if it did
	broken    engine.Outcome // how the answer broke off
}

// begin fills the call in.
func (r *rpc) begin(c *client, o order) {
	r.client, r.order, r.path = c, o, o.method
	r.opts.read(o.options, r.wrapped())
	call := &r.call
	call.Flight = &r.flight
	call.Start, call.Via = c.mesh.Now(), o.via
	call.Deadline, _ = o.ctx.Deadline()
	header, _ := metadata.FromOutgoingContext(o.ctx)
	q := &call.Request // field by field: a literal would be made elsewhere and copied
	q.Method, q.Scheme, q.Authority, q.Path = http.MethodPost, "http", o.service, plan.NormalizePath(o.method)
	q.Header, q.LowerKeys, q.Origin = header, true, r
	call.Idempotent = len(header["idempotency-key"]) > 0 || len(header["x-idempotency-key"]) > 0
	call.Replayable, call.Patient, call.Past = true, r.opts.wait, o.past
}

// RemoteAddress implements plan.Origin.
func (r *rpc) RemoteAddress() string { return mesh.Peer(r.ctx).Address }

// wrapped reports that the call goes by a connection of the caller's own.
func (r *rpc) wrapped() bool { return r.conn == nil }

const protocol = "HTTP/2"

// Prepare implements engine.Wire: it applies what the route and the destination
// change.
func (r *rpc) Prepare(c *engine.Call) {
	if len(c.Destination.Request) > 0 {
		c.Destination.Request.ApplyToRequest(r.own(), r.values())
	}
	if c.Route.Rewrites() {
		r.path = c.Route.Path(&c.Request, c.Target.PortOf(&c.Request, c.Target.Port))
		r.own()["x-envoy-original-path"] = []string{c.Request.Path}
	}
	if c.Destination.RewritesAuthority() {
		r.address(c.Destination.Authority(r.values()))
	}
	if c.Cookie != nil {
		r.own().Append("cookie", c.Cookie.Name+"="+c.Key)
	}
}

// address sends another authority than the connection's; "": the connection's.
func (r *rpc) address(authority string) {
	if r.authority = authority; authority != "" {
		r.opts.add(grpc.CallAuthority(authority))
	}
}

// own makes the metadata the call's own before it is written to.
func (r *rpc) own() metadata.MD {
	if !r.owned {
		r.metadata, r.owned = metadata.MD(r.call.Request.Header).Copy(), true
	}
	return r.metadata
}

func (r *rpc) values() plan.Values { return r.call.Values(protocol) }

// newTry is the next attempt, as a context under ctx.
func (r *rpc) newTry(ctx context.Context) *try {
	t := &try{Context: r.attempt(ctx)}
	r.fill(t)
	return t
}

// attempt is the context of the next attempt: under its span, with what is sent.
func (r *rpc) attempt(ctx context.Context) context.Context {
	ctx, r.about = r.report.Try(ctx, &r.call)
	if md := r.outgoing(ctx); md != nil {
		ctx = metadata.NewOutgoingContext(ctx, md)
	}
	return ctx
}

// fill says where the attempt goes.
func (r *rpc) fill(t *try) {
	c := &r.call
	t.client, t.cluster, t.host, t.service, t.wrapped = r.client, c.Cluster, c.Host, r.service, r.wrapped()
	r.last, r.broken = t, engine.Outcome{}
}

// sooner reports whether a deadline comes before that of ctx; zero: it is none.
func sooner(ctx context.Context, deadline time.Time) bool {
	if deadline.IsZero() {
		return false
	}
	have, ok := ctx.Deadline()
	return !ok || deadline.Before(have)
}

// optionsOf are those of a try. Where nobody else tells what comes back, they do.
func (r *rpc) optionsOf(t *try) []grpc.CallOption {
	switch {
	case t.wrapped:
		t.asks = true
		return append(slices.Clip(r.opts.all), grpc.Header(&t.header), grpc.Trailer(&t.rest))
	case r.client.doubts(r.call.Start):
		t.asks = true
		return append(slices.Clip(r.opts.all), grpc.Header(&t.header))
	}
	return r.opts.all
}

// outgoing is the metadata of the next try; nil: the caller's own. A first try
// says neither that it is one, nor how long it may take, which is grpc-timeout's
// to say.
func (r *rpc) outgoing(ctx context.Context) metadata.MD {
	if r.call.Tries <= 1 && !r.tells(ctx) {
		return r.metadata
	}
	from := r.call.Request.Header
	if r.owned {
		from = r.metadata
	}
	md := make(metadata.MD, len(from)+4)
	maps.Copy(md, from)
	if r.call.Tries > 1 {
		md["grpc-previous-rpc-attempts"] = []string{strconv.Itoa(r.call.Tries - 1)}
		md["x-envoy-attempt-count"] = []string{strconv.Itoa(r.call.Tries)}
	}
	r.tell(ctx, md)
	return md
}

// conclude tells of the end of a call that the engine has ended with err, or answered,
// for a caller who might have waited.
func (r *rpc) conclude(err error) {
	if c := &r.call; c.Patient && (err != nil || c.Local != nil) {
		r.client.mesh.Engine.Over(c)
	}
}

// finish ends a call that has been answered.
func (r *rpc) finish(err error) {
	r.call.Outcome.GRPCStatus = int(codeOf(err)) // what observers are told; decided upon it was before
	r.call.Broken(r.broken)
	r.call.Finish()
}

// hostOf is an authority without its port.
func hostOf(authority string) string {
	if host, _, err := net.SplitHostPort(authority); err == nil {
		return host
	}
	return authority
}

// addressOf is what to dial for an authority that is none of the mesh's.
func addressOf(authority string) string {
	if _, _, err := net.SplitHostPort(authority); err == nil {
		return authority
	}
	return net.JoinHostPort(authority, "80")
}

// pass is the one try of a call to a host that the mesh does not know.
func (r *rpc) pass() *try {
	return &try{Context: r.ctx, client: r.client, address: addressOf(r.service), service: r.service}
}
