package deadline

import (
	"container/heap"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Shards are Alarms for each core, so that requests on different cores wait for no
// common lock.
type Shards struct {
	all  []Alarms
	next atomic.Uint32
}

// NewShards makes them.
func NewShards() *Shards { return &Shards{all: make([]Alarms, runtime.GOMAXPROCS(0))} }

// One gives the Alarms out in turn: an exchange keeps those that it was made with,
// and the pool gives a core back the exchanges that it has used. A handler's request
// takes new ones, so that the count comes round.
func (s *Shards) One() *Alarms { return &s.all[(s.next.Add(1)-1)%uint32(len(s.all))] }

// Alarms end the limits whose time is up, with one timer for all of them. A timer
// for each would mostly be stopped before it fires, and cost two allocations;
// where it is the program's next one, the runtime may have to wake a thread that
// waits for the network.
//
// A limit takes a place in the queue. Nearly all are given up before their time,
// and the next one ends later as a rule: so a place that was given up stays where
// it stands, and is sorted in anew when it comes to the front.
type Alarms struct {
	mu    sync.Mutex // guards all below; taken after a limit's own
	queue placeQueue
	idle  []*place
	timer *time.Timer
	next  time.Time // when it fires; zero: not set
	_     [64]byte  // keeps the next one off these cache lines
}

// set ends l at the given time, unless it is set to another or cleared before.
func (a *Alarms) set(l *Limit, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.place == nil {
		l.place = a.takeLocked(l)
	}
	p := l.place
	p.end = at
	if p.index < 0 || at.Before(p.at) {
		a.moveLocked(p)
		a.armLocked()
	}
}

// clear forgets l.
func (a *Alarms) clear(l *Limit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := l.place; p != nil {
		l.place, p.limit, p.spare = nil, nil, len(a.idle)
		a.idle = append(a.idle, p)
	}
}

func (a *Alarms) takeLocked(l *Limit) *place {
	last := len(a.idle) - 1
	if last < 0 {
		return &place{limit: l, index: -1}
	}
	p := a.idle[last]
	a.idle[last], a.idle = nil, a.idle[:last]
	p.limit = l
	return p
}

// moveLocked puts p where the end of its limit belongs.
func (a *Alarms) moveLocked(p *place) {
	p.at = p.end
	if p.index < 0 {
		heap.Push(&a.queue, p)
		return
	}
	heap.Fix(&a.queue, p.index)
}

// armLocked sets the timer for the first place, if it would fire later.
func (a *Alarms) armLocked() {
	if len(a.queue) == 0 {
		return
	}
	first := a.queue[0].at
	if !a.next.IsZero() && !first.Before(a.next) {
		return
	}
	a.next = first
	if a.timer == nil {
		a.timer = time.AfterFunc(time.Until(first), a.ring)
	} else {
		a.timer.Reset(time.Until(first))
	}
}

// ring is the timer's. A limit is told without the lock, for it takes its own.
func (a *Alarms) ring() {
	for _, l := range a.due(time.Now()) {
		l.expire()
	}
}

// due takes the limits whose time is up out of the queue, and the places that
// nobody has taken again.
func (a *Alarms) due(now time.Time) (due []*Limit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.queue) > 0 && !now.Before(a.queue[0].at) {
		switch p := a.queue[0]; {
		case p.limit == nil:
			heap.Pop(&a.queue)
			a.dropLocked(p)
		case now.Before(p.end):
			a.moveLocked(p)
		default:
			heap.Pop(&a.queue)
			p.limit.place = nil
			due = append(due, p.limit)
		}
	}
	a.next = time.Time{}
	a.armLocked()
	return due
}

// dropLocked forgets an idle place.
func (a *Alarms) dropLocked(p *place) {
	last := len(a.idle) - 1
	a.idle[p.spare] = a.idle[last]
	a.idle[p.spare].spare = p.spare
	a.idle[last], a.idle = nil, a.idle[:last]
}

// A place is a limit's in the queue.
type place struct {
	limit *Limit    // nil: the place is idle
	end   time.Time // of the limit
	at    time.Time // by which the queue is sorted: not after end
	index int       // in the queue; -1: it is not there
	spare int       // among the idle ones, if it is one
}

// A placeQueue is places by their time; container/heap keeps it.
type placeQueue []*place

func (q placeQueue) Len() int           { return len(q) }
func (q placeQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }

func (q placeQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements heap.Interface.
func (q *placeQueue) Push(x any) {
	p := x.(*place)
	p.index = len(*q)
	*q = append(*q, p)
}

// Pop implements heap.Interface.
func (q *placeQueue) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	p.index = -1
	return p
}
