package meshgrpc

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/resolver"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/inside"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A line is the connection to one host.
type line struct {
	sub balancer.SubConn
	way way
	now atomic.Pointer[condition]
	by  atomic.Pointer[basis] // nil: the host is none of the mesh's

	calls atomic.Int64 // under way; counted where a rule limits them
	picks atomic.Int64 // since the connection was made; likewise
	since atomic.Int64 // when that was, Unix nanoseconds
	used  atomic.Bool  // since the last sweep
	idle  time.Time    // since when the sweep has found it unused
}

// A condition is what is known of the connection.
type condition struct {
	state connectivity.State
	err   error // why it could not be made
}

// A basis is what the way to a host was decided by.
type basis struct {
	host       *engine.Host
	cluster    *engine.Cluster
	spec       *plan.Cluster
	described  uint64
	credential tlsid.Credential
}

func (t *try) basis() *basis {
	if t.host == nil {
		return nil
	}
	spec := t.cluster.Spec()
	return &basis{t.host, t.cluster, spec, t.cluster.Described(), t.client.mesh.Credential(spec)}
}

// A way is how the connection is made.
type way struct {
	client   *client
	dialer   inside.Dialer // nil: the address is dialled
	security inside.Security
	address  string
	name     string // that the caller asked for
	callers  bool   // TLS is the caller's to do

	lost atomic.Pointer[atomic.Bool] // the connection is; nil: there was none
}

type wayKey struct{}

func newLine(ls *lines, t *try) (*line, error) {
	l := &line{idle: time.Now()}
	l.way.client, l.way.address, l.way.name, l.way.callers = t.client, t.address, hostOf(t.service), ls.callers
	l.now.Store(&condition{state: connectivity.Idle})
	if b := t.basis(); b != nil {
		l.by.Store(b)
		l.way.address = b.host.Address()
		l.way.dialer = t.client.mesh.Dialer(b.cluster, b.spec)
		l.way.security = l.way.dialer.Security(b.host, l.way.name, ls.callers)
	}
	address := resolver.Address{Addr: l.way.address, Attributes: attributes.New(wayKey{}, &l.way)}
	listen := func(s balancer.SubConnState) { l.update(s, ls) }
	var err error
	l.sub, err = ls.cc.NewSubConn([]resolver.Address{address}, balancer.NewSubConnOptions{StateListener: listen})
	return l, err
}

func (l *line) update(s balancer.SubConnState, ls *lines) {
	if s.ConnectivityState == connectivity.Ready {
		l.picks.Store(0)
		l.since.Store(time.Now().UnixNano())
	}
	l.now.Store(&condition{s.ConnectivityState, s.ConnectionError})
	ls.publish()
}

// serves reports whether the line may carry a try that is about to be sent.
func (l *line) serves(t *try) bool {
	if !l.used.Load() {
		l.used.Store(true)
	}
	if t.host == nil {
		return true
	}
	return l.current(t.cluster) && !l.spent(t.cluster.Spec())
}

// current reports whether a connection to the host would be made today as this
// one was.
func (l *line) current(cl *engine.Cluster) bool {
	have, spec := l.by.Load(), cl.Spec()
	if have.credential != l.way.client.mesh.Credential(spec) {
		return false
	}
	described := cl.Described()
	if have.spec == spec && have.described == described {
		return true
	}
	if have.spec != spec && (have.spec.Connection != spec.Connection || !have.spec.TLS.Equal(&spec.TLS)) {
		return false
	}
	today := l.way.client.mesh.Dialer(cl, spec)
	if today.Security(have.host, l.way.name, l.way.callers) != l.way.security {
		return false
	}
	l.by.Store(&basis{have.host, cl, spec, described, have.credential})
	return true
}

// spent reports whether the connection has carried its number of calls, or is of
// age.
func (l *line) spent(spec *plan.Cluster) bool {
	c := &spec.Connection
	return c.MaxRequests > 0 && l.picks.Load() >= int64(c.MaxRequests) || c.MaxAge > 0 && l.aged(c.MaxAge, time.Now())
}

// errFull: the line carries as many calls as a rule lets it.
var errFull = errors.New("the connection has all the streams that it may have")

// pick is the answer to a call that is to go by this line.
func (l *line) pick(t *try) (balancer.PickResult, error) {
	switch now := l.now.Load(); now.state {
	case connectivity.Ready:
		return l.ready(t)
	case connectivity.TransientFailure:
		return balancer.PickResult{}, t.unreachable(now.err)
	case connectivity.Idle:
		l.sub.Connect()
	}
	return balancer.PickResult{}, balancer.ErrNoSubConnAvailable
}

func (l *line) ready(t *try) (balancer.PickResult, error) {
	c := t.connection()
	done := t.finished
	if c.MaxStreams > 0 {
		if l.calls.Add(1) > int64(c.MaxStreams) {
			l.calls.Add(-1)
			return balancer.PickResult{}, errFull
		}
		done = func(info balancer.DoneInfo) {
			l.calls.Add(-1)
			t.finished(info)
		}
	}
	if c.MaxRequests > 0 {
		l.picks.Add(1)
	}
	t.takes(l)
	return balancer.PickResult{SubConn: l.sub, Done: done}, nil
}

func (l *line) aged(limit time.Duration, now time.Time) bool {
	since := l.since.Load()
	return since != 0 && now.UnixNano()-since >= int64(limit)
}

// obsolete reports whether nobody needs the line any more.
func (l *line) obsolete(live roll, now time.Time) bool {
	b := l.by.Load()
	if l.used.Swap(false) || b != nil && b.host.Active() > 0 {
		l.idle = now
	}
	if b == nil {
		return now.Sub(l.idle) > strangerIdle
	}
	c := &b.cluster.Spec().Connection
	return !live.has(b.cluster, b.host) || !l.current(b.cluster) ||
		c.IdleTimeout > 0 && now.Sub(l.idle) > c.IdleTimeout || c.MaxAge > 0 && l.aged(c.MaxAge, now)
}

// strangerIdle is how long a connection to a host that the mesh does not know is
// kept; Envoy's default for those it knows.
const strangerIdle = time.Hour

// dial connects as the line of an address says. By the mesh's TLS the handshake
// is done when it returns.
func dial(ctx context.Context, address string) (net.Conn, error) {
	w := wayOf(ctx)
	if w == nil {
		return nil, errors.New("meshgrpc: the load-balancing policy has been replaced")
	}
	c, err := w.dial(ctx)
	if err != nil || !w.callers {
		return c, err
	}
	if _, ok := c.(*tls.Conn); ok {
		_ = c.Close()
		return nil, errTwice
	}
	return w.watched(c), nil
}

func (w *way) dial(ctx context.Context) (net.Conn, error) {
	if w.dialer == nil {
		return w.client.mesh.Dial(ctx, "tcp", w.address)
	}
	return w.dialer.Dial(ctx, w.security)
}

// wayOf is the way of the connection that is being made.
func wayOf(ctx context.Context) *way {
	w, _ := credentials.ClientHandshakeInfoFromContext(ctx).Attributes.Value(wayKey{}).(*way)
	return w
}

var errTwice = errors.New("meshgrpc: a rule encrypts connections to this host, and so would the transport credentials of the connection: drop the latter")
