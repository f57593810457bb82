package mesh

import (
	"container/heap"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// An alarmShards is an alarms for each core, so that requests on different cores wait
// for no common lock. It is made by newAlarmShards.
type alarmShards struct {
	all  []alarms
	next atomic.Uint32
}

func newAlarmShards() *alarmShards { return &alarmShards{all: make([]alarms, runtime.GOMAXPROCS(0))} }

// one gives the alarms out in turn: an exchange keeps the one that it was made
// with, and the pool gives a core back the exchanges that it has used.
func (s *alarmShards) one() *alarms { return &s.all[int(s.next.Add(1)-1)%len(s.all)] }

// Alarms end the limits whose time is up, with one timer for all of them. A timer
// for each would mostly be stopped before it fires, and cost two allocations;
// where it is the program's next one, the runtime may have to wake a thread that
// waits for the network. Here the timer is set only for an end that comes before
// all others, and may fire for one that was given up.
type alarms struct {
	mu    sync.Mutex // guards all below; taken after a limit's own
	queue alarmQueue
	timer *time.Timer
	next  time.Time // when it fires; zero: not set
	_     [64]byte  // keeps the next one off these cache lines
}

// set ends l at the given time, unless it is set to another or cleared before.
func (a *alarms) set(l *limit, at time.Time) {
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
func (a *alarms) clear(l *limit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.alarm.queued {
		heap.Remove(&a.queue, l.alarm.index)
	}
}

// armLocked sets the timer for the first end, if it would fire later.
func (a *alarms) armLocked() {
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
func (a *alarms) ring() {
	for _, l := range a.due(time.Now()) {
		l.expire()
	}
}

func (a *alarms) due(now time.Time) (due []*limit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.queue) > 0 && !now.Before(a.queue[0].alarm.at) {
		due = append(due, heap.Pop(&a.queue).(*limit))
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
type alarmQueue []*limit

func (q alarmQueue) Len() int           { return len(q) }
func (q alarmQueue) Less(i, j int) bool { return q[i].alarm.at.Before(q[j].alarm.at) }

func (q alarmQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].alarm.index, q[j].alarm.index = i, j
}

// Push implements heap.Interface.
func (q *alarmQueue) Push(x any) {
	l := x.(*limit)
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
