package meshgrpc

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var errRouteTimeout = status.Error(codes.DeadlineExceeded, "the route's timeout is over")

// A limiter ends the tries of a stream when a rule's time is up. As in Envoy that
// counts from the end of the request: as long as the caller may send, nothing
// but the caller's own deadline limits the stream.
type limiter struct {
	mu       sync.Mutex
	route    time.Duration // for all; 0: none
	try      time.Duration // for each try, to its headers; 0: none
	complete time.Time     // when the request was; zero: it is not
	began    time.Time     // the try under way
	answered bool          // its headers are there
	cancel   context.CancelFunc
	timer    *time.Timer
	set      int // how often it was: one that is late says nothing of the next
	rung     alarm
}

// An alarm is which time is up.
type alarm uint8

const (
	silent alarm = iota
	tryUp
	routeUp
)

// begin starts the time of a try, which cancel ends.
func (l *limiter) begin(cancel context.CancelFunc, route, try time.Duration, complete bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel, l.route, l.try, l.began = cancel, route, try, time.Now()
	l.answered, l.rung = false, silent
	if complete && l.complete.IsZero() {
		l.complete = l.began
	}
	l.setLocked()
}

// requested: the request is complete.
func (l *limiter) requested() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.complete.IsZero() {
		l.complete = time.Now()
		l.setLocked()
	}
}

// headers: the try has its headers, and only the route's time counts. It reports false
// if time was up before.
func (l *limiter) headers() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rung != silent {
		return false
	}
	l.answered = true
	l.setLocked()
	return true
}

// end is when the route's time is up; zero: that is not known, or never.
func (l *limiter) end() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.route <= 0 || l.complete.IsZero() {
		return time.Time{}
	}
	return l.complete.Add(l.route)
}

func (l *limiter) setLocked() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	l.set++
	if l.complete.IsZero() || l.cancel == nil {
		return
	}
	if at, what := l.endLocked(); what != silent {
		set := l.set
		l.timer = time.AfterFunc(time.Until(at), func() { l.ring(set, what) })
	}
}

// endLocked is when the try has to end. A limit for each try that is not shorter
// than the route's does not count.
func (l *limiter) endLocked() (at time.Time, what alarm) {
	if l.route > 0 {
		at, what = l.complete.Add(l.route), routeUp
	}
	if l.try <= 0 || l.answered {
		return at, what
	}
	began := l.began
	if began.Before(l.complete) {
		began = l.complete
	}
	if end := began.Add(l.try); what == silent || end.Before(at) {
		return end, tryUp
	}
	return at, what
}

func (l *limiter) ring(set int, what alarm) {
	l.mu.Lock()
	var cancel context.CancelFunc
	if set == l.set {
		cancel, l.rung = l.cancel, what
	}
	l.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// stop ends the try.
func (l *limiter) stop() {
	l.mu.Lock()
	cancel := l.cancel
	l.cancel = nil
	l.setLocked()
	l.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// has says which time is up.
func (l *limiter) has() alarm {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rung
}
