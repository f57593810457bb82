package replay_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/replay"
)

// A model is a Body that reads everything first and knows what was let go.
type model struct {
	data            []byte
	limit           int
	declaredTooLong bool
	given           int // bytes that some attempt has read from the original, in all
	lost            bool
}

// gave notes that an attempt stands at pos after a Read of n bytes.
func (m *model) gave(pos, n int) {
	if pos <= m.given {
		return
	}
	m.given = pos
	if n > 0 && (m.declaredTooLong || m.given > m.limit) {
		m.lost = true
	}
}

// play runs attempts that give up at random points, and compares each byte.
func play(t *testing.T, data []byte, limit int, declared int64, size int, r *rand.Rand) {
	o := newOriginal(t, string(data))
	o.size = size
	b := replay.New(o, nil, declared, int64(limit))
	m := &model{data: data, limit: limit, declaredTooLong: declared > int64(limit)}
	for range 1 + r.IntN(5) {
		body, err := b.Next()
		if m.lost != (err == replay.ErrSpent) || m.lost == b.Replayable() {
			t.Fatalf("lost: %v; Next says %v, Replayable %v", m.lost, err, b.Replayable())
		}
		if err != nil {
			break
		}
		m.attempt(t, body, r)
		if r.IntN(2) == 0 {
			body.Close()
		}
	}
	m.compareCopy(t, b)
	b.Close()
	o.wantClosed(true)
}

func (m *model) attempt(t *testing.T, body io.Reader, r *rand.Rand) {
	for pos, buf := 0, make([]byte, 1+r.IntN(20)); r.IntN(8) > 0; {
		n, err := body.Read(buf[:1+r.IntN(len(buf))])
		if !bytes.Equal(buf[:n], m.data[pos:pos+n]) {
			t.Fatalf("at %d: read %q, want %q", pos, buf[:n], m.data[pos:pos+n])
		}
		pos += n
		m.gave(pos, n)
		if err != nil && (err != io.EOF || pos != len(m.data)) {
			t.Fatalf("at %d of %d: %v", pos, len(m.data), err)
		}
	}
}

func (m *model) compareCopy(t *testing.T, b *replay.Body) {
	mirror, err := b.Copy()
	if err != nil {
		return
	}
	got, _ := io.ReadAll(mirror)
	if m.lost || !bytes.Equal(got, m.data) {
		t.Errorf("Copy gave %q of %q (lost: %v)", got, m.data, m.lost)
	}
}

func FuzzEveryAttemptReadsTheSame(f *testing.F) {
	f.Add([]byte("some text"), uint8(100), int8(-1), uint8(3), uint64(1))
	f.Add([]byte("0123456789"), uint8(5), int8(10), uint8(0), uint64(2))
	f.Add([]byte{}, uint8(0), int8(0), uint8(1), uint64(3))
	f.Fuzz(func(t *testing.T, data []byte, limit uint8, declared int8, size uint8, seed uint64) {
		play(t, data, int(limit), int64(declared), int(size), rand.New(rand.NewPCG(seed, 0)))
	})
}

func TestEveryAttemptReadsTheSame(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, r.IntN(100))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		play(t, data, r.IntN(120), int64(r.IntN(120)-1), r.IntN(12), r)
	}
}

// Transports read and close old attempts while new ones begin. The race
// detector and the original watch.
func TestOldAttemptsReadOnWhileNewOnesBegin(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		data := bytes.Repeat([]byte("0123456789"), 50)
		o := newOriginal(t, string(data))
		o.size = 1 + r.IntN(30)
		b := replay.New(o, nil, -1, 1000)
		var transports sync.WaitGroup
		for range 1 + r.IntN(4) {
			body, wantsToClose := next(t, b), r.IntN(2) == 0
			transports.Go(func() { abandon(t, body, data, wantsToClose) })
		}
		last := next(t, b)
		if got, err := io.ReadAll(last); !bytes.Equal(got, data) || err != nil {
			t.Fatalf("seed %d: read %d bytes, %v", seed, len(got), err)
		}
		b.Finish()
		transports.Go(func() { last.Close() })
		transports.Wait()
		o.wantClosed(true)
	}
}

// abandon reads until it is cut off: what it got is a beginning of data.
func abandon(t *testing.T, body io.ReadCloser, data []byte, wantsToClose bool) {
	got, err := io.ReadAll(body)
	if !bytes.HasPrefix(data, got) || err != nil && err != replay.ErrCut {
		t.Errorf("read %q, %v", got, err)
	}
	if wantsToClose {
		body.Close()
	}
}

func BenchmarkSendOnce(b *testing.B) {
	data, buf := make([]byte, 4<<10), make([]byte, 32<<10)
	source := bytes.NewReader(data)
	original := io.NopCloser(source)
	b.ReportAllocs()
	for b.Loop() {
		source.Reset(data)
		body := replay.New(original, nil, int64(len(data)), 64<<10)
		r, _ := body.Next()
		for {
			if _, err := r.Read(buf); err != nil {
				break
			}
		}
		body.Finish()
		r.Close()
	}
}
