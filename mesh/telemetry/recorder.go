package telemetry

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

// A recorder counts what requests leave behind. On a request's own goroutine it
// writes one record into a lane. A drain reads chunks of them, one at a time, so
// that it counts without atomics and tells the meter the sums: the SDK asks some
// 20 ns for each label of each measurement, which no request should wait for.
// The drain is a goroutine; who wants to know what there is at the moment, and
// who fills a chunk when the drain is behind, drains too.
type recorder struct {
	instruments *instruments
	pulled      bool // histograms are collected, not recorded

	lanes []lane
	next  atomic.Uint32
	near  sync.Pool // of *lane: the one that this CPU used last
	spare sync.Pool // of *chunk
	full  chan *chunk
	wake  chan struct{} // that there may be a full one
	done  chan struct{}
	idle  sync.WaitGroup

	mu    sync.Mutex // the drain's: guards all that follows, and what hangs on series
	start time.Time
	dirty []*series // that have counts to tell
	kept  [metricCount]tallies
	live  *topology.Live
}

// behind is how many full chunks may wait for the drain, less than 1 MB.
const behind = 64

func newRecorder(in *instruments, pulled bool, live *topology.Live) *recorder {
	r := &recorder{
		instruments: in, pulled: pulled, live: live,
		lanes: make([]lane, 2*runtime.GOMAXPROCS(0)),
		full:  make(chan *chunk, behind),
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),
		start: time.Now(),
	}
	r.near.New = func() any { return &r.lanes[int(r.next.Add(1))%len(r.lanes)] }
	r.spare.New = func() any { return new(chunk) }
	for id := range r.kept {
		r.kept[id] = tallies{}
	}
	r.idle.Go(r.run)
	return r
}

func (r *recorder) run() {
	for {
		select {
		case <-r.wake:
			r.work()
		case <-r.done:
			return
		}
	}
}

// close stops the goroutine. What comes later is counted by who brings it.
func (r *recorder) close() {
	close(r.done)
	r.idle.Wait()
	r.flush()
}

// put leaves a record.
func (r *recorder) put(rec *record) {
	l := r.near.Get().(*lane)
	l.put(rec, r)
	r.near.Put(l)
}

// hand gives a chunk to the drain, or is it.
func (r *recorder) hand(c *chunk) {
	select {
	case r.full <- c:
	default:
		r.mu.Lock()
		defer r.mu.Unlock()
		r.drainLocked(c)
		return
	}
	select {
	case r.wake <- struct{}{}:
	default: // it will look again as it is
	}
}

// work counts what has been handed over.
func (r *recorder) work() {
	for r.step() {
	}
}

// step counts one chunk; it returns false if there is none. A chunk is taken under
// the lock, so that who finds none knows that all have been counted.
func (r *recorder) step() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case c := <-r.full:
		r.drainLocked(c)
		return true
	default:
		return false
	}
}

// flush counts all that has been left before it was called.
func (r *recorder) flush() {
	for i := range r.lanes {
		r.lanes[i].flush(r)
	}
	r.work()
}

// drainLocked counts a chunk and makes it a spare one.
func (r *recorder) drainLocked(c *chunk) {
	r.countLocked(c)
	c.n = 0
	clear(c.records[:]) // it holds on to no series
	r.spare.Put(c)
}

// countLocked counts the records of a chunk, and tells the meter.
func (r *recorder) countLocked(c *chunk) {
	for i := range c.n {
		rec := &c.records[i]
		rec.series.count(rec, r)
		rec.series.edge.pass(rec, r.live)
	}
	for _, s := range r.dirty {
		s.tell(r.instruments)
	}
	clear(r.dirty)
	r.dirty = r.dirty[:0]
}

// record is a histogram's measurement, that of a sampled request with its
// context, for the sake of exemplars.
func (r *recorder) record(ctx context.Context, id metricID, p *point, v float64) {
	if r.pulled {
		p.tally.add(v)
		return
	}
	r.instruments.histograms[id].Record(ctx, v, p.record...)
}

// histograms are those that are collected.
func (r *recorder) histograms() []Histogram {
	r.flush()
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Histogram
	for id, ts := range r.kept {
		if len(ts) > 0 {
			d := descriptions[id]
			out = append(out, Histogram{d.name, d.unit, d.text, bounds[:], r.start, ts.points()})
		}
	}
	return out
}
