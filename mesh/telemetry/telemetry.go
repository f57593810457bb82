package telemetry

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/inmesh-go/inmesh/mesh/telemetry/topology"
)

// A Telemetry reports what passes through a mesh. It is safe for concurrent use.
type Telemetry struct {
	config   Config
	recorder *recorder
	tracer   *tracer
	settings atomic.Pointer[Settings]
	detach   func()
	callback metric.Registration
	closed   sync.Once

	peers peers
	edges atomic.Pointer[map[Link]*Edge]

	mu     sync.Mutex // orders the making of edges and series
	rest   map[restKey]*Edge
	series int // that count against Config.Series
}

type restKey struct {
	reporter Reporter
	protocol Protocol
}

// New begins to report. Close ends it.
func New(c Config) (*Telemetry, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	meter := c.MeterProvider.Meter(InstrumentationName)
	in, err := newInstruments(meter)
	if err != nil {
		return nil, err
	}
	t := &Telemetry{
		config:   c,
		tracer:   newTracer(c),
		rest:     map[restKey]*Edge{},
		recorder: newRecorder(in, c.Histograms != nil, topology.NewLive(c.Topology)),
		detach:   func() {},
	}
	t.settings.Store(new(Settings))
	t.edges.Store(new(map[Link]*Edge))
	if t.callback, err = t.observe(meter); err != nil {
		t.recorder.close()
		return nil, err
	}
	if c.Histograms != nil {
		t.detach = c.Histograms.Attach(t.recorder.histograms)
	}
	return t, nil
}

// Close tells the meter what is left to tell and stops reporting. What is
// recorded later may be lost. It is idempotent.
func (t *Telemetry) Close() (err error) {
	t.closed.Do(func() {
		t.recorder.close()
		t.detach()
		err = t.callback.Unregister()
	})
	return err
}

// Flush tells the meter all that has been recorded so far. A reader that collects
// does that by itself.
func (t *Telemetry) Flush() { t.recorder.flush() }

// Lane is a place to count requests in, for a Result. Several may have the same.
func (t *Telemetry) Lane() *Lane { return t.recorder.lane() }

// Apply puts settings in force, for requests from now on. Nil: the defaults.
func (t *Telemetry) Apply(s *Settings) {
	if s == nil {
		s = new(Settings)
	}
	t.settings.Store(s)
}

func (t *Telemetry) side(r Reporter) *side { return &t.settings.Load().sides[r] }

// Graph is who called whom in the last span of time, at most a minute.
func (t *Telemetry) Graph(span time.Duration) topology.Graph {
	t.recorder.flush()
	t.recorder.mu.Lock()
	defer t.recorder.mu.Unlock()
	return t.recorder.live.Graph(time.Now(), span)
}

// Edge is the edge of a link. There are at most Config.Series; links beside them
// share one, whose labels say unknown and otel.metric.overflow.
func (t *Telemetry) Edge(l Link) *Edge {
	if e := (*t.edges.Load())[l]; e != nil {
		return e
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	known := *t.edges.Load()
	if e := known[l]; e != nil {
		return e
	}
	if len(known) >= t.roomFor(&l) {
		return t.restLocked(&l)
	}
	next := make(map[Link]*Edge, len(known)+1) // others read the one that is known
	maps.Copy(next, known)
	e := &Edge{t: t, link: l}
	next[l] = e
	t.edges.Store(&next)
	return e
}

// roomFor is how many edges, and series, there may be before those of a link have no
// room. Hosts outside, of which there is no end, leave half of it to the mesh.
func (t *Telemetry) roomFor(l *Link) int {
	if l.Service.Name == Passthrough || l.Service.Name == BlackHole {
		return t.config.Series / 2
	}
	return t.config.Series
}

// restLocked is the edge of links like l that have no room.
func (t *Telemetry) restLocked(l *Link) *Edge {
	k := restKey{l.Reporter, l.Protocol}
	e := t.rest[k]
	if e == nil {
		e = &Edge{t: t, link: Link{Reporter: l.Reporter, Protocol: l.Protocol}, rest: true}
		t.rest[k] = e
	}
	if s := t.side(l.Reporter); e.view.Load() == nil || e.view.Load().side != s {
		e.renewLocked(s)
	}
	return e
}

// admitLocked reports whether an edge may have another series. Those of the rest
// are few by themselves.
func (t *Telemetry) admitLocked(e *Edge) bool {
	if e.rest {
		return true
	}
	if t.series >= t.roomFor(&e.link) {
		return false
	}
	t.series++
	return true
}

// releaseLocked gives back the room of a view's series.
func (t *Telemetry) releaseLocked(e *Edge, v *view) {
	if e.rest || v == nil {
		return
	}
	t.series -= len(v.series)
	if v.tagged != nil {
		v.tagged.Range(func(any, any) bool { t.series--; return true })
	}
}
