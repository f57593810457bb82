package replay_test

import (
	"errors"
	"io"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBroken = errors.New("the caller's body broke")

// An original is a caller's body that notices what must not be done to it.
type original struct {
	t    *testing.T
	data []byte
	end  error         // what follows the data
	size int           // the most that one Read gives; 0: no bound
	gate chan struct{} // if not nil, each Read waits for one

	inside atomic.Int32
	reads  atomic.Int32
	closes atomic.Int32
}

func newOriginal(t *testing.T, text string) *original {
	return &original{t: t, data: []byte(text), end: io.EOF}
}

func (o *original) Read(p []byte) (int, error) {
	if o.inside.Add(1) > 1 {
		o.t.Error("two goroutines read the original at once")
	}
	defer o.inside.Add(-1)
	o.reads.Add(1)
	if o.closes.Load() > 0 {
		o.t.Error("the original is read after it was closed")
	}
	if o.gate != nil {
		<-o.gate
	}
	return o.give(p)
}

func (o *original) give(p []byte) (int, error) {
	if o.size > 0 && len(p) > o.size {
		p = p[:o.size]
	}
	n := copy(p, o.data)
	o.data = o.data[n:]
	if len(o.data) == 0 && n < len(p) {
		return n, o.end
	}
	return n, nil
}

func (o *original) Close() error {
	if o.closes.Add(1) > 1 {
		o.t.Error("the original is closed again")
	}
	return nil
}

func (o *original) wantClosed(want bool) {
	o.t.Helper()
	if got := o.closes.Load() == 1; got != want {
		o.t.Errorf("the original is closed: %v, want %v", got, want)
	}
}
