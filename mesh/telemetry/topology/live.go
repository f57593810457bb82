package topology

import (
	"cmp"
	"time"
)

// A Config says how much a Live remembers.
type Config struct {
	// Edges is how many there may be. Zero: 1000.
	Edges int
	// Forget is after how long an edge without calls is forgotten; at least a
	// minute. Zero: ten minutes.
	Forget time.Duration
}

// A Live is the graph as it grows.
type Live struct {
	config  Config
	start   time.Time
	flows   map[Key]*Flow
	dropped uint64
}

// NewLive makes an empty one. Rates of its first minute are over its age.
func NewLive(c Config) *Live {
	c.Edges = cmp.Or(c.Edges, 1000)
	c.Forget = max(cmp.Or(c.Forget, 10*time.Minute), seconds*time.Second)
	return &Live{config: c, start: time.Now(), flows: map[Key]*Flow{}}
}

// A Flow is the calls of one Key.
type Flow struct {
	live *Live
	key  Key
	last int64 // when the latest call ended, in Unix nanoseconds
	open int64 // raw connections that stand
	window
}

// A Call is one that is over.
type Call struct {
	End           int64 // in Unix nanoseconds
	Duration      time.Duration
	Failed        bool
	BytesSent     int64 // to the caller
	BytesReceived int64
}

// Flow is the flow of a key, for as long as it is not forgotten. It is nil, which
// counts what is Dropped, if there are too many.
func (l *Live) Flow(k Key) *Flow {
	f := l.flows[k]
	if f == nil && len(l.flows) < l.config.Edges {
		f = &Flow{live: l, key: k}
		l.flows[k] = f
	}
	return f
}

// Add adds calls; it is quicker for many at once.
func (l *Live) Add(f *Flow, calls ...Call) {
	if f != nil && f.live == nil {
		f = l.readmit(f)
	}
	if f == nil {
		l.dropped += uint64(len(calls))
		return
	}
	for i := range calls {
		f.last = max(f.last, calls[i].End)
	}
	f.add(calls)
}

// readmit takes back a flow that was forgotten: as that of its key, if somebody has
// asked for it meanwhile. It is nil if there is no room.
func (l *Live) readmit(f *Flow) *Flow {
	if other := l.flows[f.key]; other != nil {
		return other
	}
	if len(l.flows) >= l.config.Edges {
		return nil
	}
	f.live = l
	l.flows[f.key] = f
	return f
}

// forget lets go of flows that have been idle for long; for those that were told of by
// a clock ahead of this one, from now on.
func (l *Live) forget(now time.Time) {
	for k, f := range l.flows {
		f.last = min(f.last, now.UnixNano())
		if f.open == 0 && now.Sub(time.Unix(0, f.last)) > l.config.Forget {
			delete(l.flows, k)
			f.live = nil
		}
	}
}

// Dropped is how many calls there was no room for.
func (l *Live) Dropped() uint64 { return l.dropped }
