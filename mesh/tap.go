package mesh

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
)

// A TapFilter says which requests a Tap is told of. What is zero does not matter.
type TapFilter struct {
	Direction string // outbound or inbound
	Service   string // part of the service, or of the host that was asked for
	Method    string
	Path      string // what the path begins with
	MinStatus int    // statuses below are left out, and so are requests without an answer unless Failed
	Failed    bool   // only those without an answer, with a 5xx, or with a gRPC status other than OK
}

func (f *TapFilter) wants(e *TapEvent) bool {
	switch {
	case f.Direction != "" && f.Direction != e.Direction, f.Method != "" && f.Method != e.Method:
		return false
	case f.Service != "" && !strings.Contains(e.Service, f.Service) && !strings.Contains(e.Host, f.Service):
		return false
	case f.Failed && e.Status > 0 && e.Status < 500 && (e.GRPCStatus == nil || *e.GRPCStatus == 0):
		return false
	}
	return strings.HasPrefix(e.Path, f.Path) && (e.Status >= f.MinStatus || f.Failed && e.Status == 0)
}

// A Tap is told of requests as they end. It costs them little, and nothing where
// nobody taps: when its buffer is full, what passes is counted and not kept.
type Tap struct {
	filter  TapFilter
	taps    *taps
	events  chan kept
	held    atomic.Int64 // bytes of what waits to be read, about
	dropped atomic.Uint64
	done    chan struct{} // closed by Close, or with the Mesh
	end     func()
}

// kept is an event that waits to be read; it is not masked yet.
type kept struct {
	event TapEvent
	size  int64
}

// maxHeld is how many bytes of events wait at most: a head may have a megabyte.
// Several requests that end at once may go beyond it, by one each.
const maxHeld = 8 << 20

// Tap listens to requests that pass this Mesh. At most buffer of them wait to be
// read, and about 8 MiB; below 1 means 256. Close it.
func (m *Mesh) Tap(f TapFilter, buffer int) *Tap {
	if buffer < 1 {
		buffer = 256
	}
	t := &Tap{filter: f, taps: &m.taps, events: make(chan kept, buffer), done: make(chan struct{})}
	t.end = sync.OnceFunc(func() { close(t.done) })
	m.taps.add(t)
	return t
}

// ErrTapClosed is what Next returns after Close, and when the Mesh is closed.
var ErrTapClosed = errors.New("the tap is closed")

// Next waits for the next request. The error is ctx's, or ErrTapClosed.
func (t *Tap) Next(ctx context.Context) (TapEvent, error) {
	select {
	case k := <-t.events:
		t.held.Add(-k.size)
		k.event.mask()
		return k.event, nil
	case <-t.done:
		return TapEvent{}, ErrTapClosed
	case <-ctx.Done():
		return TapEvent{}, ctx.Err()
	}
}

// Dropped is how many requests there was no room for.
func (t *Tap) Dropped() uint64 { return t.dropped.Load() }

// Close ends the tap. It may be called more than once.
func (t *Tap) Close() {
	t.taps.remove(t)
	t.end()
}
