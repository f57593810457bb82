package meshgrpc

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
)

// lines are the connections of one grpc.ClientConn: one to each host, and more
// only where a rule limits the streams of one. They are made when the host is
// picked, and closed when it is gone, or idle, or to be connected to in another
// way.
type lines struct {
	cc      balancer.ClientConn
	callers bool     // transport credentials are the caller's own
	byHost  sync.Map // try.key → *line

	mu     sync.Mutex // orders what is written there
	closed bool

	stop  context.CancelFunc
	swept chan struct{} // closed when nobody sweeps any more
}

// sweepEvery is how long a line outlives what it was for.
const sweepEvery = 5 * time.Second

func newLines(cc balancer.ClientConn, callers bool) *lines {
	ctx, stop := context.WithCancel(context.Background())
	ls := &lines{cc: cc, callers: callers, stop: stop, swept: make(chan struct{})}
	go ls.sweep(ctx)
	return ls
}

// publish wakes the calls that wait for a connection.
func (ls *lines) publish() {
	ls.cc.UpdateState(balancer.State{ConnectivityState: connectivity.Ready, Picker: picker{ls}})
}

// to is the line of a try: lane 0 or, where those before it are full, another. One
// that does not serve any more is replaced; the calls on it finish.
func (ls *lines) to(t *try, lane int) (*line, error) {
	key := t.key(lane)
	if l := ls.find(key); l != nil && l.serves(t) {
		return l, nil
	}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if ls.closed {
		return nil, errNoConnection
	}
	old := ls.find(key)
	if old != nil && old.serves(t) {
		return old, nil
	}
	fresh, err := newLine(ls, t)
	if err != nil {
		return nil, err
	}
	ls.byHost.Store(key, fresh)
	if old != nil {
		old.sub.Shutdown()
	}
	return fresh, nil
}

func (ls *lines) find(key any) *line {
	v, ok := ls.byHost.Load(key)
	if !ok {
		return nil
	}
	return v.(*line)
}

// sweep ends lines that have had their day, until ctx ends.
func (ls *lines) sweep(ctx context.Context) {
	defer close(ls.swept)
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			ls.sweepAt(now)
		case <-ctx.Done():
			return
		}
	}
}

func (ls *lines) sweepAt(now time.Time) {
	live := roll{}
	ls.byHost.Range(func(key, v any) bool {
		if l := v.(*line); l.obsolete(live, now) && ls.byHost.CompareAndDelete(key, l) {
			l.sub.Shutdown()
		}
		return true
	})
}

// close ends the sweeping. gRPC closes the connections.
func (ls *lines) close() {
	ls.mu.Lock()
	ls.closed = true
	ls.mu.Unlock()
	ls.stop()
	<-ls.swept
}

// A roll is the hosts of clusters, as one sweep sees them.
type roll map[*engine.Cluster]map[*engine.Host]bool

func (r roll) has(cl *engine.Cluster, h *engine.Host) bool {
	if cl.Closed() {
		return false
	}
	hosts, ok := r[cl]
	if !ok {
		hosts = map[*engine.Host]bool{}
		for _, h := range cl.Hosts() {
			hosts[h] = true
		}
		r[cl] = hosts
	}
	return hosts[h]
}
