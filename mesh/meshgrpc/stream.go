package meshgrpc

import (
	"context"
	"io"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/retry"
)

// A stream is a streaming call on its journey, which runs on a goroutine of its
// own until there is an answer: meanwhile the caller may send.
type stream struct {
	rpc
	desc *grpc.StreamDesc
	open grpc.Streamer
	out  *outbox

	begun func()        // closes started, once
	start chan struct{} // closed when the first try has a stream, or the journey is over
	done  chan struct{} // closed when the journey is over; what follows is written before

	passes bool // is written before start is closed: the call is not the mesh's any more

	answer grpc.ClientStream
	header metadata.MD   // of the answer, in the end as the rules want it; nil: there is none
	ended  error         // how the answer has, if there was no header and that was seen
	err    error         // why there is no answer
	fallen *engine.Panic // likewise

	limit limiter
	life  life

	cargo report.Stream
	sole  any // that RecvMsg is to fill in, where there is one message back: then it ends the call
}

// stream is a grpc.StreamClientInterceptor.
func (c *client) stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	service, err := c.serviceOf(conn)
	if err != nil {
		return nil, err
	}
	return c.converse(order{ctx: ctx, service: service, conn: conn, method: method, options: opts}, desc, open)
}

// converse returns when the first try has a stream.
func (c *client) converse(o order, desc *grpc.StreamDesc, open grpc.Streamer) (grpc.ClientStream, error) {
	s := &stream{desc: desc, open: open, out: newOutbox(c.mesh.ReplayLimit), start: make(chan struct{}), done: make(chan struct{})}
	s.life.of = o.ctx
	s.begun = sync.OnceFunc(func() { close(s.start) })
	s.begin(c, o)
	ours, err := c.mesh.Engine.Route(o.ctx, &s.call)
	if !ours && err == nil {
		return s.passOn()
	}
	go s.run(err)
	if <-s.start; s.passes {
		return s.passOn()
	}
	select {
	case <-s.done:
		s.await()
		if s.err != nil {
			return nil, s.err
		}
	default:
	}
	return s, nil
}

// passOn makes a call that is not the mesh's.
func (s *stream) passOn() (grpc.ClientStream, error) {
	p, returned := s.passage(), false
	defer func() {
		if !returned {
			p.over(errPanicked)
		}
	}()
	opened, err := s.open(s.pass(), s.desc, s.conn, s.method, p.options(s.options)...)
	if returned = true; err != nil {
		p.over(err)
	}
	return opened, err
}

// run is the journey, to its end.
func (s *stream) run(err error) {
	arrived := false
	defer func() {
		if !arrived {
			s.fall(recover())
		}
	}()
	if err = s.travel(err); s.passes {
		s.begun()
	} else {
		s.settle(err)
	}
	arrived = true
}

// travel is the journey. A caller who waits for a connection takes it as often as
// need be.
func (s *stream) travel(err error) error {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		ctx := s.reported(s.ctx)
		if err == nil {
			err = s.client.mesh.Engine.Do(ctx, &s.call, s)
		}
		if !s.waits(err) || !s.Again(&s.call) || !sleep(s.ctx, wait) {
			return err
		}
		s.report.Drop()
		s.order.past = s.call.Passed()
		s.begin(s.client, s.order)
		var ours bool
		if ours, err = s.client.mesh.Engine.Route(s.ctx, &s.call); !ours && err == nil {
			if err = s.disowned(); s.passes {
				return nil
			}
		}
	}
}

// disowned: while the call waited its service has become one that is not the mesh's.
// It passes on, unless its caller has a stream already.
func (s *stream) disowned() error {
	select {
	case <-s.start:
		s.local = errDisowned
	default:
		s.passes = true
	}
	return s.local
}

var errDisowned = status.Error(codes.Unavailable, "nobody knows the service any more")

// begin fills the call in. Its answer's headers are there before its end, and are told
// then.
func (s *stream) begin(c *client, o order) {
	s.rpc = rpc{flight: engine.Flight{Once: true}}
	s.rpc.begin(c, o)
	s.opts.takeHeaders()
}

// settle ends the journey. The answer's stream has an end of its own.
func (s *stream) settle(err error) {
	s.conclude(err)
	switch {
	case err != nil:
		s.err = s.refused(err)
	case s.call.Local != nil:
		s.err = s.rpc.answer()
	}
	s.out.settle(s.err == nil)
	if s.err == nil {
		s.respond()
		s.follow()
		s.last.watch(s.over)
		if s.wrapped() {
			s.heed()
		}
	} else {
		s.limit.stop()
		s.life.over()
		s.tellEnd(s.err)
		s.opts.finish(s.err)
	}
	close(s.done)
	s.begun()
}

// Send implements engine.Wire. It returns when the answer's headers are there.
func (s *stream) Send(ctx context.Context, c *engine.Call) {
	t := s.limited(ctx, c)
	opts := append(slices.Clip(s.optionsOf(t)), grpc.OnFinish(t.end))
	opened, err := s.open(t, s.desc, s.conn, s.path, opts...)
	if err == nil {
		s.out.attach(opened)
		s.begun()
		err = s.hear(t, opened)
	}
	c.Replayable = s.out.replayable()
	c.Outcome = s.seen(t, err) // which may say that there must be no other try
	if s.desc.ClientStreams {
		c.Deadline = s.deadline()
	}
	s.answer = opened
	s.keepTime()
	s.about.Saw(&c.Outcome)
}

// hear waits for the headers of a try. Without them, or where they have come too late,
// it returns how the try has ended.
func (s *stream) hear(t *try, opened grpc.ClientStream) (err error) {
	s.ended = nil
	if s.header, _ = opened.Header(); s.header == nil {
		s.ended = t.ending(opened)
		return s.ended
	}
	if s.limit.headers() {
		return nil
	}
	<-t.Done()
	for err == nil { // gRPC is to have done with the try, too
		err = opened.RecvMsg(new(emptypb.Empty))
	}
	return err
}

// deadline is when a call whose caller may send has to end: by a rule, that is known
// once all has been sent.
func (s *stream) deadline() time.Time {
	own, _ := s.ctx.Deadline()
	if route := s.limit.end(); !route.IsZero() && (own.IsZero() || route.Before(own)) {
		return route
	}
	return own
}

// limited is the next try, under the limits of the rule. The server is told the
// route's where that counts from the start.
func (s *stream) limited(ctx context.Context, c *engine.Call) *try {
	ctx, cancel := context.WithCancel(ctx)
	deadline, route := c.Deadline, time.Duration(0)
	if s.client.mesh.Relents(ctx) {
		ctx, deadline = unhurried{ctx}, c.Expires
	}
	if s.desc.ClientStreams {
		deadline, route = time.Time{}, c.Route.Timeout
	}
	end := cancel
	if sooner(ctx, deadline) {
		var release context.CancelFunc
		ctx, release = context.WithDeadline(ctx, deadline)
		end = func() {
			cancel()
			release()
		}
	}
	t := s.newTry(ctx)
	s.limit.begin(end, route, c.Route.Retry.TryTimeout(c.Route.Timeout), !s.desc.ClientStreams)
	return t
}

// seen classifies a try that has its headers, or has ended.
func (s *stream) seen(t *try, err error) engine.Outcome {
	if err == nil {
		return answered(-1)
	}
	if local := s.out.failure(); local != nil {
		s.local = local
		return engine.Failed(retry.Canceled, local)
	}
	s.perTry, t.asks = s.limit.has() == tryUp, true
	return s.outcome(t, err)
}

// Again implements engine.Wire.
func (s *stream) Again(*engine.Call) bool {
	if !s.out.detach() {
		return false
	}
	s.limit.stop()
	s.about.End()
	return true
}

// over ends a call whose answer has ended, with err.
func (s *stream) over(err error) {
	s.broken = s.brokeOff(err)
	err = s.told(err)
	s.limit.stop()
	s.life.over()
	s.finish(err)
	s.tellEnd(err)
	s.opts.finish(err)
}

// brokeOff classifies an answer that has ended before its end, as that of HTTP is; the
// zero Outcome: it has not.
func (s *stream) brokeOff(err error) engine.Outcome {
	switch code := codeOf(err); {
	case code == codes.Unavailable && s.last.sight().lost:
		return engine.Failed(retry.Reset, err)
	case code != codes.Canceled && code != codes.DeadlineExceeded:
		return engine.Outcome{}
	case s.ctx.Err() != nil:
		return engine.Ended(s.ctx)
	case s.limit.has() == routeUp, s.timeUp(s.last, err):
		return engine.Failed(retry.DeadlineExceeded, err)
	}
	return engine.Outcome{}
}

// told is what a caller is told of an answer that has ended with err.
func (s *stream) told(err error) error {
	if err != nil && err != io.EOF && s.limit.has() == routeUp {
		return errRouteTimeout
	}
	return err
}

// fall ends a journey on which somebody has panicked, or has left the goroutine.
func (s *stream) fall(value any) {
	s.fallen = engine.Caught(value)
	s.call.Abort()
	s.tellEnd(errPanicked)
	s.limit.stop()
	s.life.over()
	s.out.settle(false)
	close(s.done)
	s.begun()
}
