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
// and the pool gives a core back the exchanges that it has used.
func (s *Shards) One() *Alarms { return &s.all[int(s.next.Add(1)-1)%len(s.all)] }

// Alarms end the limits whose time is up, with one timer for all of them. A timer
// for each would mostly be stopped before it fires, and cost two allocations;
// where it is the program's next one, the runtime may have to wake a thread that
// waits for the network. Here the timer is set only for an end that comes before
// all others, and may fire for one that was given up.
type Alarms struct {
	mu    sync.Mutex // guards all below; taken after a limit's own
	queue alarmQueue
	timer *time.Timer
	next  time.Time // when it fires; zero: not set
	_     [64]byte  // keeps the next one off these cache lines
}

// set ends l at the given time, unless it is set to another or cleared before.
func (a *Alarms) set(l *Limit, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.alarm.queued {
		heap.Remove(&a.queue, l.alarm.index)
	}
	l.alarm.at = at
	heap.Push(&a.queue, l)
	a.armLocked()
}

// clear forgets l.
func (a *Alarms) clear(l *Limit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.alarm.queued {
		heap.Remove(&a.queue, l.alarm.index)
	}
}

// armLocked sets the timer for the first end, if it would fire later.
func (a *Alarms) armLocked() {
	if len(a.queue) == 0 {
		return
	}
	first := a.queue[0].alarm.at
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

func (a *Alarms) due(now time.Time) (due []*Limit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.queue) > 0 && !now.Before(a.queue[0].alarm.at) {
		due = append(due, heap.Pop(&a.queue).(*Limit))
	}
	a.next = time.Time{}
	a.armLocked()
	return due
}

// An alarm is a limit's place in the queue.
type alarm struct {
	at     time.Time
	index  int
	queued bool
}

// An alarmQueue is limits by the time of their end; container/heap keeps it.
type alarmQueue []*Limit

func (q alarmQueue) Len() int           { return len(q) }
func (q alarmQueue) Less(i, j int) bool { return q[i].alarm.at.Before(q[j].alarm.at) }

func (q alarmQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].alarm.index, q[j].alarm.index = i, j
}

// Push implements heap.Interface.
func (q *alarmQueue) Push(x any) {
	l := x.(*Limit)
	l.alarm.index, l.alarm.queued = len(*q), true
	*q = append(*q, l)
}

// Pop implements heap.Interface.
func (q *alarmQueue) Pop() any {
	last := len(*q) - 1
	l := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	l.alarm.queued = false
	return l
}
