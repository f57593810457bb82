package h1

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// errCanceled is what Request.Cancel says.
var errCanceled = errors.New("h1: request canceled")

// A trip is one request and what may end it.
type trip struct {
	request *http.Request
	ctx     context.Context
	release context.CancelCauseFunc // nil: there is nothing to release
}

// newTrip takes in Request.Cancel, which http.Client still uses for its Timeout.
func newTrip(r *http.Request) trip {
	t := trip{request: r, ctx: r.Context()}
	if r.Cancel != nil { //nolint:staticcheck // deprecated, still obeyed by net/http
		t.ctx, t.release = context.WithCancelCause(t.ctx)
		go t.listen()
	}
	return t
}

func (t trip) listen() {
	select {
	case <-t.request.Cancel: //nolint:staticcheck // as above
		t.release(errCanceled)
	case <-t.ctx.Done():
	}
}

// end says that nobody waits for anything any more.
func (t trip) end() {
	if t.release != nil {
		t.release(nil)
	}
}

// explain is why something went wrong: because the trip was over, if it was.
func (t trip) explain(err error) error {
	if t.ctx.Err() != nil {
		return context.Cause(t.ctx)
	}
	return err
}

// undialled explains a failed dial, which goes by the context's deadline and may
// look at the clock a moment before the context does.
func (t trip) undialled(err error) error {
	at, ok := t.ctx.Deadline()
	if t.ctx.Err() == nil && ok && !time.Now().Before(at) {
		return context.DeadlineExceeded
	}
	return t.explain(err)
}

// repeatable reports what net/http holds repeatable: a request that may be
// executed twice, by its method or by its sender's word.
func repeatable(r *http.Request) bool {
	switch method(r) {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return true
	}
	_, key := r.Header["Idempotency-Key"]
	_, xKey := r.Header["X-Idempotency-Key"]
	return key || xKey
}
