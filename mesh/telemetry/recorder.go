package telemetry

import (
	"math/rand/v2"
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

	lanes []Lane
	next  atomic.Uint32
	spare sync.Pool // of *chunk
	full  chan *chunk
	wake  chan struct{} // that there may be a full one
	done  chan struct{}
	idle  sync.WaitGroup

	mu       sync.Mutex // the drain's: guards all that follows, and what hangs on series
	start    time.Time
	dirty    []*series // that have counts to tell
	since    int       // chunks that have been counted since they were told
	listened bool      // that somebody wants to know of histograms
	kept     [metricCount]tallies
	live     *topology.Live
}

// behind is how many full chunks may wait for the drain, less than 1 MB.
const behind = 64

func newRecorder(in *instruments, pulled bool, live *topology.Live) *recorder {
	r := &recorder{
		instruments: in, pulled: pulled, live: live,
		lanes: make([]Lane, 4*runtime.GOMAXPROCS(0)),
		full:  make(chan *chunk, behind),
		wake:  make(chan struct{}, 1),
		done:  make(chan struct{}),
		start: time.Now(),
	}
	for i := range r.lanes {
		r.lanes[i].recorder = r
	}
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

// lane gives the lanes out in turn, to be kept.
func (r *recorder) lane() *Lane { return &r.lanes[int(r.next.Add(1)-1)%len(r.lanes)] }

// any is some lane, for whoever keeps none.
func (r *recorder) any() *Lane { return &r.lanes[rand.IntN(len(r.lanes))] }

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

// flush counts all that has been left before it was called, and tells the meter.
func (r *recorder) flush() {
	for i := range r.lanes {
		r.lanes[i].flush()
	}
	r.work()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tellLocked()
}

// drainLocked counts a chunk and makes it a spare one.
func (r *recorder) drainLocked(c *chunk) {
	r.listened = r.pulled || r.instruments.listened()
	r.countLocked(c)
	clear(c.records[:c.n]) // it holds on to no series
	c.n = 0
	r.spare.Put(c)
	if r.since++; r.since == patience {
		r.tellLocked()
	}
}

// patience is how many chunks are counted before the meter is told, which costs
// thousands of instructions for each series. Who collects does not wait for it.
const patience = 16

func (r *recorder) countLocked(c *chunk) {
	for run := range c.runs {
		run.count(r)
		run.edge.pass(r.live, run.calls)
	}
}

// tellLocked tells the meter what has been counted.
func (r *recorder) tellLocked() {
	for _, s := range r.dirty {
		s.tell(r.instruments)
	}
	clear(r.dirty)
	r.dirty, r.since = r.dirty[:0], 0
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
