package mesh

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/deadline"
)

// An inherited context is a handler's that ends when its caller will have given up.
// What callers hand on is how long they wait for an answer to begin, as a try of a rule
// does; whoever gives up after that hangs up. So it ends nothing any more once the
// handler answers.
type inherited struct {
	deadline.Limit
	answered atomic.Bool
}

// inherit takes over the deadline that the caller handed on, until w is written to.
func (in *inbound) inherit(ctx context.Context, m *Mesh, w http.ResponseWriter, r *http.Request) (context.Context, http.ResponseWriter, func()) {
	d, ok := m.handedOn(r.Header)
	until := time.Now().Add(d)
	if !ok || !endsBefore(until, ctx) {
		return ctx, w, stay
	}
	i := new(inherited)
	i.Begin(m.deadlines.One(), ctx, until)
	if in.answer.ResponseWriter == nil {
		w = in.answer.watch(w)
	}
	in.answer.begins = i.answer
	return i, w, i.Stop
}

func (i *inherited) answer() {
	if i.Extend(time.Time{}) {
		i.answered.Store(true)
	}
}

// Deadline implements context.Context.
func (i *inherited) Deadline() (time.Time, bool) {
	if i.answered.Load() {
		return i.Context.Deadline()
	}
	return i.Limit.Deadline()
}

// deadline is the one that was inherited.
func (i *inherited) deadline() time.Time {
	at, _ := i.Limit.Deadline()
	return at
}

type inheritedKey struct{}

// Value implements context.Context.
func (i *inherited) Value(key any) any {
	if key == (inheritedKey{}) {
		return i
	}
	return i.Context.Value(key)
}

// relents reports that the deadline of ctx may be given up before its time: that it is
// an inherited one, and none of the handler's own that comes before it.
func relents(ctx context.Context) bool {
	i, ok := ctx.Value(inheritedKey{}).(*inherited)
	if !ok {
		return false
	}
	at, ok := ctx.Deadline()
	return ok && at.Equal(i.deadline())
}

// AfterFunc is what package context asks for where a context is derived from this
// one, before it starts a goroutine to wait for its end.
func (in *inbound) AfterFunc(f func()) (stop func() bool) { return context.AfterFunc(in.Context, f) }

// A firstRead is the source of an answer, which begins with what is read first.
type firstRead struct {
	io.Reader
	of *answer
}

// Read implements io.Reader.
func (f firstRead) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if n > 0 {
		f.of.wrote(0)
	}
	return n, err
}
