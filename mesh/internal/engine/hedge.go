package engine

import (
	"context"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/retry"
)

// A Hedger is a Wire that can send several tries of one call at once.
type Hedger interface {
	Wire
	// Fork returns a Wire for one more try of the same request, or nil if its
	// body cannot be had once more. ended is called when the try needs its
	// context no longer. The fork may outlive the Hedger.
	Fork(ended context.CancelFunc) Fork
	// Adopt makes the outcome of a fork the Hedger's own.
	Adopt(winner Fork)
}

// A Fork is a Wire that carries a single try.
type Fork interface {
	Wire
	// Abandon gives up a try that lost, and its answer if it has one.
	Abandon()
}

// hedger returns w if the call may be hedged. A single try is not a race.
func (c *Call) hedger(w Wire) Hedger {
	h := &c.engine.config.Hedge
	if h.Max == 0 || !h.May(retry.Try{Idempotent: c.Idempotent, Unreplayable: !c.Replayable}) {
		return nil
	}
	hedger, _ := w.(Hedger)
	return hedger
}

// A race is the tries of one call that are under way at once. The first answer
// that the policy would not retry wins; if there is none, the last outcome.
type race struct {
	call    *Call
	wire    Hedger
	results chan *runner
	running map[*runner]struct{}
	due     int // hedges that have come due
	started int // of them, those that limits, budget and hosts allowed
}

// A runner is one try in a race, with a Call of its own for what it holds.
type runner struct {
	call   Call
	wire   Fork
	cancel context.CancelFunc
	fallen *Panic // of whoever carries it
}

// hedge is the attempt stage with hedging. It reports false if the first try
// cannot be forked, in which case nothing has happened.
func (c *Call) hedge(ctx context.Context, w Hedger) bool {
	r := &race{call: c, wire: w, results: make(chan *runner, 1+c.engine.config.Hedge.Max), running: map[*runner]struct{}{}}
	first := *c
	first.holds &^= holdsRetry // that is the call's, the rest the runner's
	if !r.start(ctx, first) {
		return false
	}
	c.holds &= holdsRetry
	winner := r.run(ctx)
	r.adopt(winner)
	if winner.fallen != nil {
		panic(winner.fallen)
	}
	return true
}

// run starts hedges as they come due, until one try has won.
func (r *race) run(ctx context.Context) *runner {
	timer := time.NewTimer(r.call.engine.config.Hedge.Delay)
	defer timer.Stop()
	for {
		select {
		case done := <-r.results:
			delete(r.running, done)
			if len(r.running) == 0 || r.wins(done) {
				return done
			}
			done.lost()
		case <-timer.C:
			r.another(ctx)
			if at, ok := r.call.engine.config.Hedge.Next(r.due, time.Now(), r.call.Deadline); ok {
				timer.Reset(time.Until(at))
			}
		}
	}
}

// wins: nothing comes after a panic.
func (r *race) wins(done *runner) bool {
	o := &done.call.Outcome
	return done.fallen != nil || o.Failure == retry.None && !r.call.Route.Retry.On.Match(&o.Try)
}

// start sends one try on a goroutine of the call's, which run waits for or, if the
// try loses, adopt's collector: Close waits for no request under way.
func (r *race) start(ctx context.Context, call Call) bool {
	ctx, cancel := context.WithCancel(ctx)
	one := &runner{call: call, cancel: cancel}
	if one.wire = r.wire.Fork(cancel); one.wire == nil {
		cancel()
		return false
	}
	one.call.triedBuf, one.call.tried = [3]*Host{}, nil
	r.running[one] = struct{}{}
	go func() {
		defer func() { r.results <- one }() // also where the goroutine is left by runtime.Goexit
		one.send(ctx)
	}()
	return true
}

func (one *runner) send(ctx context.Context) {
	returned := false
	defer func() {
		if !returned {
			one.fallen = Caught(recover())
		}
	}()
	one.wire.Send(ctx, &one.call)
	returned = true
}

// another starts a hedge, if limits, budget and hosts allow it.
func (r *race) another(ctx context.Context) {
	r.due++
	next := *r.call
	next.holds = 0
	next.tried = r.hosts()
	if !next.Cluster.acquireRetry(time.Now()) {
		return
	}
	next.holds = holdsRetry
	if next.Cluster.gate.AcquireRequest() != nil { // as admit, but nobody's call ends for it
		next.endRetry()
		return
	}
	next.holds |= holdsRequest
	if next.pick() != nil {
		return // it gives back what was taken
	}
	next.sent = time.Now()
	if r.start(ctx, next) {
		r.started++
		return
	}
	next.Cluster.report(next.Host, next.permit, breaker.Ignored, next.sent)
	next.release()
	next.endRetry()
}

func (r *race) hosts() (out []*Host) {
	out = append(out, r.call.tried...)
	for one := range r.running {
		out = append(out, one.call.Host)
	}
	return out
}

// adopt makes the winner's try the call's, and leaves the others to end.
func (r *race) adopt(winner *runner) {
	c, from := r.call, &winner.call
	c.endRetry()
	c.Host, c.permit, c.sent, c.Outcome = from.Host, from.permit, from.sent, from.Outcome
	c.holds = from.holds
	c.Tries += r.started
	r.wire.Adopt(winner.wire)
	if len(r.running) == 0 {
		return
	}
	for one := range r.running {
		one.cancel()
	}
	losers, results := len(r.running), r.results
	c.engine.Background(func() {
		for range losers {
			loser := <-results
			inLine := loser.call.Outcome.InLine
			loser.call.Outcome = Failed(retry.Canceled, context.Canceled)
			loser.call.Outcome.InLine = inLine // where it is, it has not got to its host
			loser.lost()
			if loser.fallen != nil { // nobody is left who could catch it
				panic(loser.fallen)
			}
		}
	})
}

// lost tells the host what its try came to, and gives back what it held. A try
// that was cancelled because another won says nothing of its host.
func (one *runner) lost() {
	c := &one.call
	c.seen = time.Now()
	c.Cluster.report(c.Host, c.permit, c.Outcome.circuit(), c.seen)
	c.release()
	c.endRetry()
	one.wire.Abandon()
}
