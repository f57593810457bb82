package mesh

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/deadline"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/flight"
	"github.com/inmesh-go/inmesh/mesh/internal/follow"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// A Mesh is the mesh as one process sees it. It is safe for concurrent use.
type Mesh struct {
	config Config
	dials  bool // Config.DialContext was given
	engine *engine.Engine
	rules  *follow.Loop
	status tracker

	identity identity
	access   *follow.Loop // nil: the policies alone decide
	guard    *guard.Guard
	visits   *flight.Board[inbound] // that are under way
	taps     taps

	ways        ways
	connections *connections // raw ones

	telemetry *telemetry.Telemetry // nil: there is none
	reporter  *report.Reporter
	metadata  [1]string // what other workloads of the mesh are told of this one
	settings  settings  // of the rules that were compiled last

	clock     clock
	deadlines *deadline.Shards
	exchanges sync.Pool // of *exchange
	counters  sync.Pool // of *counter

	mu         sync.Mutex // guards transports
	transports []*Transport
}

// New returns once the first rules are in force, and the first credential and word
// of Config.Access, or with what is wrong with them. ctx bounds the start, not the
// life; Close ends that.
func New(ctx context.Context, c Config) (*Mesh, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	m := &Mesh{config: c.withDefaults(), dials: c.DialContext != nil, deadlines: deadline.NewShards(), visits: flight.New[inbound]()}
	m.ways.mesh, m.connections = m, newConnections(m)
	e, err := engine.New(engine.Config{
		Options:      m.config.options(),
		Discovery:    m.config.source(),
		RegistryOnly: c.OutboundPolicy == RegistryOnly,
		Events:       m,
		MirrorLimit:  m.config.MirrorLimit,
		Hedge:        c.Hedge,
	})
	if err != nil {
		return nil, err
	}
	m.engine = e
	m.exchanges.New = func() any { return &exchange{alarms: m.deadlines.One()} }
	m.guard = guard.New(m.guards())
	if err := m.start(ctx); err != nil {
		_ = m.Close()
		return nil, err
	}
	return m, nil
}

// start opens telemetry and starts the control loops, each when the one before has
// its first value: the rules last, for what they mean depends on who asks.
func (m *Mesh) start(ctx context.Context) error {
	if err := m.openTelemetry(); err != nil {
		return err
	}
	if m.config.Identity != nil {
		m.identity.loop = m.follow(m.config.Identity)
		if err := m.identity.loop.Ready(ctx); err != nil {
			return fmt.Errorf("mesh: Identity: %w", err)
		}
	}
	if m.config.Access != nil {
		m.access = m.heed(m.config.Access)
		if err := m.access.Ready(ctx); err != nil {
			return fmt.Errorf("mesh: Access: %w", err)
		}
	}
	m.rules = follow.Start(m.compiled, m.apply, m.reject)
	err := m.rules.Ready(ctx)
	if err != nil && errors.Is(err, context.Cause(ctx)) { // what is wrong with rules names itself
		return fmt.Errorf("mesh: Rules: %w", err)
	}
	return err
}

// An edition is a set of rules, compiled.
type edition struct {
	set      *rules.Set
	plan     *plan.Plan
	policies *authz.Policies
	settings *telemetry.Settings
}

// compiled is the watch of the rules. A set that cannot be enforced as a whole,
// because of a policy whose provider nobody knows for example, is told as an
// error: the rules before it stand.
func (m *Mesh) compiled(ctx context.Context) iter.Seq2[edition, error] {
	return func(yield func(edition, error) bool) {
		for set, err := range m.config.Rules.Watch(ctx) {
			var e edition
			if err == nil {
				e, err = m.compile(set)
				m.tellSource(set, err)
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// tellSource tells a source that keeps account of it.
func (m *Mesh) tellSource(set *rules.Set, err error) {
	if s, ok := m.config.Rules.(rules.Rejecter); ok && err != nil {
		s.Reject(set, err)
	}
}

func (m *Mesh) compile(set *rules.Set) (edition, error) {
	o := m.options()
	policies, err := m.guard.Compile(set)
	if m.config.Identity == nil {
		err = errors.Join(plan.TLSFaults(set, o).Err(), err)
	}
	told, refused := m.settingsOf(set)
	if err := errors.Join(err, refused); err != nil {
		return edition{}, err
	}
	return edition{set, plan.Recompile(m.engine.Plan(), set, o), policies, told}, nil
}

// options are what rules mean beyond their own text. Whose trust domain it is, the
// credential in force says.
func (m *Mesh) options() plan.Options {
	o := m.config.options()
	o.TrustDomain = m.identity.own().ID().TrustDomain()
	return o
}

// apply puts new rules in force: what is told first, then the door, then the ways
// out.
func (m *Mesh) apply(e edition) {
	if m.telemetry != nil {
		m.telemetry.Apply(e.settings)
	}
	m.guard.Apply(e.set, e.policies, e.plan)
	m.engine.Apply(e.plan)
	m.status.applied(e.set)
	m.rulesApplied(e.set)
}

// reject keeps the rules in force, and says what is wrong with the new ones.
func (m *Mesh) reject(err error) {
	m.status.rejected(err)
	m.rulesRejected(err)
}

// Transport returns an http.RoundTripper that sends requests through the mesh.
//
// Base says what carries each try. Nil: connections of the mesh's own, by the
// rules. An *http.Transport: the same, with its settings where rules have none, and
// by its DialContext where Config has none.
// Any other RoundTripper: that one, and rules on connections have no effect; but
// an http request is refused (ErrConnect) where mutual TLS is due, which it could
// not speak.
// Requests that are not the mesh's go through base unchanged; for nil through a
// clone of http.DefaultTransport.
//
// A RoundTripper of the last kind sees an endpoint's address in the URL, and the
// name that was asked for in Host: for https it has to verify that name itself.
//
// Make a Transport once and share it: each has its own connections, and lives
// until the Mesh is closed.
func (m *Mesh) Transport(base http.RoundTripper) *Transport {
	t := &Transport{mesh: m, base: base, pass: base}
	if base == nil {
		t.pass = cloneOfDefault()
	}
	if template, ok := t.pass.(*http.Transport); ok {
		t.own = &wires{mesh: m, template: template.Clone()} // net/http still writes to the TLS of one that is used
		t.own.dial = m.dialOf(base)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.transports = append(m.transports, t)
	return t
}

// dialOf makes the connections for a base: Config.DialContext, else the base's own.
func (m *Mesh) dialOf(base http.RoundTripper) dialContext {
	if own, ok := base.(*http.Transport); ok && own.DialContext != nil && !m.dials {
		return own.DialContext
	}
	return m.config.DialContext
}

// cloneOfDefault is of http.DefaultTransport, or new if somebody has replaced that.
func cloneOfDefault() *http.Transport {
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		return t.Clone()
	}
	return new(http.Transport)
}

// Close ends the mesh: first the watch of rules, of access, the taps and the watch of
// the identity, then what the engine runs (mirrors, endpoints, timers), then idle
// connections, then telemetry, to which it tells what is left. Requests under way
// finish, and their connections end then. It may be called more than once; it waits
// until all has ended. A later request goes to the endpoints last known, or ends as
// ErrNoHealthy.
func (m *Mesh) Close() error {
	if m.rules != nil {
		m.rules.Close()
	}
	if m.access != nil {
		m.access.Close()
	}
	m.taps.close()
	m.identity.close()
	m.guard.Close()
	m.engine.Close()
	m.mu.Lock()
	transports := m.transports
	m.transports = nil
	m.mu.Unlock()
	for _, t := range transports {
		t.retire()
	}
	m.connections.close()
	return m.closeTelemetry()
}
