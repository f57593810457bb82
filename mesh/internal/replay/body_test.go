package replay_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/inmesh-go/inmesh/mesh/internal/replay"
)

// next begins an attempt that must be possible.
func next(t *testing.T, b *replay.Body) io.ReadCloser {
	t.Helper()
	r, err := b.Next()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// read reads n bytes, or all with -1, and expects them to be want.
func read(t *testing.T, r io.Reader, n int, want string) {
	t.Helper()
	got, err := io.ReadAll(limited(r, n))
	if string(got) != want || err != nil {
		t.Errorf("read %q, %v, want %q", got, err, want)
	}
}

func limited(r io.Reader, n int) io.Reader {
	if n < 0 {
		return r
	}
	return io.LimitReader(r, int64(n))
}

func wantCut(t *testing.T, r io.Reader) {
	t.Helper()
	if n, err := r.Read(make([]byte, 8)); n != 0 || err != replay.ErrCut {
		t.Errorf("a reader that is over read %d bytes, %v", n, err)
	}
}

func TestALaterAttemptSendsTheSameFromTheBeginning(t *testing.T) {
	for _, firstReads := range []int{0, 1, 4, 9, -1} {
		o := newOriginal(t, "some text")
		b := replay.New(o, nil, -1, 100)
		one := next(t, b)
		_, _ = io.Copy(io.Discard, limited(one, firstReads))
		two := next(t, b)
		wantCut(t, one)
		read(t, two, -1, "some text")
		read(t, next(t, b), -1, "some text")
		o.wantClosed(false)
		b.Close()
		o.wantClosed(true)
	}
}

func TestNothingIsReadBeforeTheTransportAsks(t *testing.T) {
	o := newOriginal(t, "text")
	b := replay.New(o, nil, 4, 100)
	next(t, b)
	next(t, b)
	if _, err := b.Copy(); err != replay.ErrPartial {
		t.Errorf("Copy: %v", err)
	}
	b.Close()
	if n := o.reads.Load(); n != 0 {
		t.Errorf("%d reads", n)
	}
	o.wantClosed(true)
}

func TestABodyBeyondTheLimitIsSentOnce(t *testing.T) {
	for _, declared := range []int64{-1, 10} {
		o := newOriginal(t, "0123456789")
		o.size = 3
		b := replay.New(o, nil, declared, 5)
		one := next(t, b)
		read(t, one, 3, "012")
		if got := b.Replayable(); got != (declared < 0) {
			t.Errorf("declared %d: replayable after 3 bytes: %v", declared, got)
		}
		read(t, one, -1, "3456789")
		if _, err := b.Next(); err != replay.ErrSpent || b.Replayable() {
			t.Errorf("Next: %v, replayable: %v", err, b.Replayable())
		}
		if _, err := b.Copy(); err != replay.ErrPartial {
			t.Errorf("Copy: %v", err)
		}
		b.Close()
		o.wantClosed(true)
	}
}

// A connection that could not be made has not cost a byte.
func TestABodyOfAnySizeCanBeSentAgainWhileItIsUntouched(t *testing.T) {
	o := newOriginal(t, "0123456789")
	b := replay.New(o, nil, 10, 5)
	next(t, b)
	read(t, next(t, b), -1, "0123456789")
	b.Close()
}

func TestExactlyTheLimitIsKept(t *testing.T) {
	b := replay.New(newOriginal(t, "01234"), nil, 5, 5)
	read(t, next(t, b), -1, "01234")
	read(t, next(t, b), -1, "01234")
	b.Close()
}

func TestAnErrorIsReplayedToo(t *testing.T) {
	o := newOriginal(t, "half")
	o.end = errBroken
	b := replay.New(o, nil, -1, 100)
	for range 2 {
		got, err := io.ReadAll(next(t, b))
		if string(got) != "half" || err != errBroken {
			t.Errorf("read %q, %v", got, err)
		}
	}
	if _, err := b.Copy(); err != replay.ErrPartial {
		t.Errorf("Copy of a broken body: %v", err)
	}
	b.Close()
}

func TestGetBodyGivesTheLaterBodies(t *testing.T) {
	o := newOriginal(t, "0123456789")
	calls := 0
	getBody := func() (io.ReadCloser, error) {
		calls++
		return io.NopCloser(strings.NewReader("0123456789")), nil
	}
	b := replay.New(o, getBody, 10, 0)
	one := next(t, b)
	read(t, one, 4, "0123")
	if !b.Replayable() || calls != 0 {
		t.Errorf("replayable: %v, GetBody was called %d times", b.Replayable(), calls)
	}
	two := next(t, b)
	o.wantClosed(true)
	wantCut(t, one)
	read(t, two, 2, "01")
	read(t, next(t, b), -1, "0123456789")
	mirror, err := b.Copy()
	if err != nil {
		t.Fatal(err)
	}
	read(t, mirror, -1, "0123456789")
	b.Close()
}

func TestAFailingGetBodyIsTold(t *testing.T) {
	b := replay.New(newOriginal(t, "text"), func() (io.ReadCloser, error) { return nil, errBroken }, 4, 100)
	next(t, b)
	if r, err := b.Next(); r != nil || err != errBroken {
		t.Errorf("got %v, %v", r, err)
	}
	b.Close()
}

func TestAnAbsentBodyStaysAbsent(t *testing.T) {
	for _, absent := range []io.ReadCloser{nil, http.NoBody} {
		b := replay.New(absent, nil, 0, 100)
		for range 3 {
			if r := next(t, b); r != http.NoBody || !b.Replayable() {
				t.Errorf("got %v, replayable: %v", r, b.Replayable())
			}
		}
		if mirror, err := b.Copy(); mirror != http.NoBody || err != nil {
			t.Errorf("Copy: %v, %v", mirror, err)
		}
		b.Finish()
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestACopyIsThereOnceTheBodyWasReadWhole(t *testing.T) {
	b := replay.New(newOriginal(t, "text"), nil, -1, 100)
	one := next(t, b)
	read(t, one, 4, "text")
	if _, err := b.Copy(); err != replay.ErrPartial {
		t.Errorf("before the end was seen: %v", err)
	}
	read(t, one, -1, "")
	b.Finish()
	one.Close()
	for range 2 {
		mirror, err := b.Copy()
		if err != nil {
			t.Fatal(err)
		}
		read(t, mirror, -1, "text")
	}
}

func TestTheLastAttemptOwnsTheOriginalAfterFinish(t *testing.T) {
	o := newOriginal(t, "text")
	b := replay.New(o, nil, -1, 100)
	one := next(t, b)
	one.Close()
	two := next(t, b)
	read(t, two, 2, "te")
	b.Finish()
	if _, err := b.Next(); err != replay.ErrOver || b.Replayable() {
		t.Errorf("Next: %v, replayable: %v", err, b.Replayable())
	}
	read(t, two, -1, "xt") // an early response does not end the upload
	o.wantClosed(false)
	two.Close()
	o.wantClosed(true)
	two.Close()
	b.Finish()
	b.Close()
}

func TestFinishClosesWhatNobodyReads(t *testing.T) {
	for name, prepare := range map[string]func(*replay.Body){
		"never begun":    func(*replay.Body) {},
		"closed already": func(b *replay.Body) { next(t, b).Close() },
	} {
		t.Run(name, func(t *testing.T) {
			o := newOriginal(t, "text")
			b := replay.New(o, nil, -1, 100)
			prepare(b)
			o.wantClosed(false)
			b.Finish()
			o.wantClosed(true)
		})
	}
}

func TestCloseCutsTheAttemptOff(t *testing.T) {
	o := newOriginal(t, "text")
	b := replay.New(o, nil, -1, 100)
	one := next(t, b)
	read(t, one, 2, "te")
	b.Close()
	o.wantClosed(true)
	wantCut(t, one)
	b.Close()
	one.Close()
}

type closeError struct{ io.Reader }

func (closeError) Close() error { return errBroken }

func TestCloseReturnsTheOriginalsError(t *testing.T) {
	b := replay.New(closeError{strings.NewReader("text")}, nil, -1, 100)
	if err := b.Close(); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

// stuck is a body whose first attempt is inside a Read of the original.
func stuck(t *testing.T, limit int64) (o *original, b *replay.Body, one io.ReadCloser, result chan error) {
	o = newOriginal(t, "0123456789")
	o.gate, o.size = make(chan struct{}), 4
	b = replay.New(o, nil, -1, limit)
	one, result = next(t, b), make(chan error, 1)
	go func() {
		_, err := one.Read(make([]byte, 10))
		result <- err
	}()
	synctest.Wait()
	return o, b, one, result
}

func TestWhatACutOffAttemptWasReadingGoesToItsSuccessor(t *testing.T) {
	for _, limit := range []int64{100, 0} {
		synctest.Test(t, func(t *testing.T) {
			o, b, _, result := stuck(t, limit)
			two := next(t, b)
			var got bytes.Buffer
			var copying sync.WaitGroup
			copying.Go(func() { _, _ = got.ReadFrom(two) })
			synctest.Wait()
			close(o.gate)
			copying.Wait()
			if err := <-result; err != replay.ErrCut {
				t.Errorf("the first attempt got %v", err)
			}
			if got.String() != "0123456789" {
				t.Errorf("limit %d: the second attempt read %q", limit, got.String())
			}
			b.Close()
			o.wantClosed(true)
		})
	}
}

func TestAnAttemptThatWaitsForItsPredecessorCanBeEnded(t *testing.T) {
	for name, end := range map[string]func(*replay.Body, io.Closer){
		"by its Close":        func(_ *replay.Body, two io.Closer) { two.Close() },
		"by a later attempt":  func(b *replay.Body, _ io.Closer) { next(t, b) },
		"by the Body's Close": func(b *replay.Body, _ io.Closer) { b.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, b, _, _ := stuck(t, 100)
				two, waiting := next(t, b), make(chan error, 1)
				go func() {
					_, err := two.Read(make([]byte, 10))
					waiting <- err
				}()
				synctest.Wait()
				end(b, two)
				if err := <-waiting; err != replay.ErrCut {
					t.Errorf("got %v", err)
				}
				close(o.gate)
				synctest.Wait()
				b.Close()
				o.wantClosed(true)
			})
		})
	}
}

func TestTheOriginalIsNotClosedDuringARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, b, _, result := stuck(t, 100)
		b.Close()
		o.wantClosed(false)
		close(o.gate)
		<-result
		o.wantClosed(true)
	})
}

// A transport that closes while it reads (HTTP/2 does, to end a Read that
// hangs) has that effect on the original, once nobody else wants it.
func TestATransportMayCloseDuringItsRead(t *testing.T) {
	for name, end := range map[string]func(b *replay.Body, one io.Closer){
		"after Finish": func(b *replay.Body, one io.Closer) { b.Finish(); one.Close() },
		"after Close":  func(b *replay.Body, one io.Closer) { b.Close(); one.Close() },
		"before Close": func(b *replay.Body, one io.Closer) { one.Close(); b.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, b, one, result := stuck(t, 100)
				end(b, one)
				o.wantClosed(true)
				close(o.gate)
				if err := <-result; err != replay.ErrCut {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestWrappingCostsOneAllocation(t *testing.T) {
	body, buf := io.NopCloser(strings.NewReader("text")), make([]byte, 10)
	count := func(f func()) float64 { return testing.AllocsPerRun(100, f) }
	if n := count(func() { replay.New(http.NoBody, nil, 0, 100).Close() }); n != 0 {
		t.Errorf("no body: %v allocations", n)
	}
	if n := count(func() {
		b := replay.New(body, nil, 4, 0)
		r, _ := b.Next()
		_, _ = r.Read(buf)
		b.Finish()
		r.Close()
	}); n != 1 {
		t.Errorf("wrap, begin, read, close: %v allocations", n)
	}
}
