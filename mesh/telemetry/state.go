package telemetry

import (
	"context"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// A State is the mesh itself at a moment: what it counts and knows beside the
// requests. Counts are since the start and never fall.
type State struct {
	Destinations []DestinationState
	MirrorDrops  int64
	Rules        RulesState
	Certificate  time.Time // when the own certificate expires; zero: there is none
}

// A DestinationState is one destination of calls: a service, a subset, a port.
type DestinationState struct {
	Service, Subset string
	Port            int
	Via             string // a connection of the caller's own that carries the calls; "": none

	Retries         int64 // tries that followed another
	RetriesRefused  int64 // for the budget was spent
	RetriesActive   int64
	RetryLimit      int64 // how many may be active now; negative: any number
	Requests        int64 // active
	RequestLimit    int64 // negative: any number
	Connections     int64 // open
	ConnectionLimit int64 // negative: any number
	Pending         int64 // that wait for a connection
	PendingLimit    int64 // negative: any number
	Overflows       int64 // that a limit refused
	Ejections       int64
	Hosts           HostStates
	Discovered      time.Time // when its endpoints were last told; zero: never
}

// HostStates are how many hosts are in each state.
type HostStates struct{ Closed, Open, HalfOpen, Unhealthy int64 }

// A RulesState is which rules are in force.
type RulesState struct {
	Version  string
	Objects  int64 // in force
	Rejected int64 // that have faults, in what was read last
	Reloads  int64 // versions that came into force
	Failures int64 // versions that were rejected
	Changed  time.Time
}

// A gauge is one of the mesh's own metrics. Prometheus' exporter makes
// inmesh_retries_total of inmesh.retries.
type gauge struct {
	name, unit, text string
	counts           bool // it never falls
	of               func(*DestinationState) int64
	unlimited        bool // negative numbers are left out
}

var gauges = [...]gauge{
	{"inmesh.retries", "", "Tries that followed another.", true, func(d *DestinationState) int64 { return d.Retries }, false},
	{"inmesh.retries.refused", "", "Retries that the budget refused.", true, func(d *DestinationState) int64 { return d.RetriesRefused }, false},
	{"inmesh.retries.active", "", "Retries under way.", false, func(d *DestinationState) int64 { return d.RetriesActive }, false},
	{"inmesh.retries.limit", "", "Retries that may be under way now.", false, func(d *DestinationState) int64 { return d.RetryLimit }, true},
	{"inmesh.requests.active", "", "Requests under way.", false, func(d *DestinationState) int64 { return d.Requests }, false},
	{"inmesh.requests.limit", "", "Requests that may be under way.", false, func(d *DestinationState) int64 { return d.RequestLimit }, true},
	{"inmesh.connections.active", "", "Connections that are open.", false, func(d *DestinationState) int64 { return d.Connections }, false},
	{"inmesh.connections.limit", "", "Connections that may be open.", false, func(d *DestinationState) int64 { return d.ConnectionLimit }, true},
	{"inmesh.pending.active", "", "Requests that wait for a connection.", false, func(d *DestinationState) int64 { return d.Pending }, false},
	{"inmesh.pending.limit", "", "Requests that may wait for a connection.", false, func(d *DestinationState) int64 { return d.PendingLimit }, true},
	{"inmesh.overflows", "", "Requests that a limit refused.", true, func(d *DestinationState) int64 { return d.Overflows }, false},
	{"inmesh.ejections", "", "Ejections of hosts.", true, func(d *DestinationState) int64 { return d.Ejections }, false},
}

// An observer tells the state when metrics are collected.
type observer struct {
	t            *Telemetry
	destinations [len(gauges)]metric.Int64Observable
	hosts        metric.Int64ObservableGauge
	discovery    metric.Float64ObservableGauge
	mirrorDrops  metric.Int64ObservableCounter
	objects      metric.Int64ObservableGauge
	rejected     metric.Int64ObservableGauge
	reloads      metric.Int64ObservableCounter
	rules        metric.Int64ObservableGauge
	changed      metric.Float64ObservableGauge
	certificate  metric.Float64ObservableGauge
	build        metric.Int64ObservableGauge
	dropped      metric.Int64ObservableCounter
}

// observe registers the callback that collects. It also makes the recorder tell
// what has been recorded: the SDK calls back before it looks at what it has.
func (t *Telemetry) observe(m metric.Meter) (metric.Registration, error) {
	o := &observer{t: t}
	all, err := o.create(m)
	if err != nil {
		return nil, err
	}
	r, err := m.RegisterCallback(o.collect, all...)
	if err != nil {
		return nil, fmt.Errorf("telemetry: callback: %w", err)
	}
	return r, nil
}

func (o *observer) create(m metric.Meter) (all []metric.Observable, err error) {
	k := &maker{Meter: m}
	for i, g := range gauges {
		if g.counts {
			o.destinations[i] = k.counter(g.name, g.text)
		} else {
			o.destinations[i] = k.gauge(g.name, g.text)
		}
	}
	o.hosts = k.gauge("inmesh.hosts", "Hosts, by the state of their circuit.")
	o.discovery = k.seconds("inmesh.discovery.age", "Time since the endpoints were told.")
	o.mirrorDrops = k.counter("inmesh.mirror.drops", "Copies of requests that were not sent.")
	o.objects = k.gauge("inmesh.rules.objects", "Objects in force.")
	o.rejected = k.gauge("inmesh.rules.rejected", "Objects with faults in the rules that were read last.")
	o.reloads = k.counter("inmesh.rules.reloads", "Versions of the rules, by what became of them.")
	o.rules = k.gauge("inmesh.rules.info", "The version of the rules in force, as a label.")
	o.changed = k.seconds("inmesh.rules.changed.timestamp", "When the rules in force came.")
	o.certificate = k.seconds("inmesh.certificate.expiry.timestamp", "When the own certificate expires.")
	o.build = k.gauge("istio_build", "The version of what reports.")
	o.dropped = k.counter("inmesh.topology.dropped", "Requests that the topology had no room for.")
	return k.all, k.err
}

// A maker makes instruments, and remembers the first error.
type maker struct {
	metric.Meter
	all []metric.Observable
	err error
}

func (k *maker) made(o metric.Observable, err error) {
	k.all = append(k.all, o)
	if k.err == nil && err != nil {
		k.err = fmt.Errorf("telemetry: %w", err)
	}
}

func (k *maker) counter(name, text string) metric.Int64ObservableCounter {
	i, err := k.Int64ObservableCounter(name, metric.WithDescription(text))
	k.made(i, err)
	return i
}

func (k *maker) gauge(name, text string) metric.Int64ObservableGauge {
	i, err := k.Int64ObservableGauge(name, metric.WithDescription(text))
	k.made(i, err)
	return i
}

func (k *maker) seconds(name, text string) metric.Float64ObservableGauge {
	i, err := k.Float64ObservableGauge(name, metric.WithDescription(text), metric.WithUnit("s"))
	k.made(i, err)
	return i
}

func (o *observer) collect(_ context.Context, to metric.Observer) error {
	o.t.recorder.flush()
	to.ObserveInt64(o.build, 1, metric.WithAttributes(attribute.String("component", "proxy"), attribute.String("tag", o.t.config.Build)))
	to.ObserveInt64(o.dropped, o.t.dropped())
	if o.t.config.State == nil {
		return nil
	}
	s, now := o.t.config.State(), time.Now()
	for i := range s.Destinations {
		o.destination(to, &s.Destinations[i], now)
	}
	o.process(to, &s)
	return nil
}

func (o *observer) destination(to metric.Observer, d *DestinationState, now time.Time) {
	labels := []attribute.KeyValue{
		attribute.String("destination_service", d.Service),
		attribute.String("subset", d.Subset),
		attribute.Int("port", d.Port),
	}
	if d.Via != "" {
		labels = append(labels, attribute.String("via", clean(d.Via)))
	}
	set := metric.WithAttributeSet(attribute.NewSet(labels...))
	for i, g := range gauges {
		if n := g.of(d); !g.unlimited || n >= 0 {
			to.ObserveInt64(o.destinations[i], n, set)
		}
	}
	for state, n := range map[string]int64{"closed": d.Hosts.Closed, "open": d.Hosts.Open, "half_open": d.Hosts.HalfOpen, "unhealthy": d.Hosts.Unhealthy} {
		to.ObserveInt64(o.hosts, n, metric.WithAttributes(append(slices.Clip(labels), attribute.String("state", state))...))
	}
	if !d.Discovered.IsZero() {
		to.ObserveFloat64(o.discovery, now.Sub(d.Discovered).Seconds(), set)
	}
}

func (o *observer) process(to metric.Observer, s *State) {
	r := &s.Rules
	to.ObserveInt64(o.mirrorDrops, s.MirrorDrops)
	to.ObserveInt64(o.objects, r.Objects)
	to.ObserveInt64(o.rejected, r.Rejected)
	to.ObserveInt64(o.reloads, r.Reloads, metric.WithAttributes(attribute.String("result", "applied")))
	to.ObserveInt64(o.reloads, r.Failures, metric.WithAttributes(attribute.String("result", "rejected")))
	to.ObserveInt64(o.rules, 1, metric.WithAttributes(attribute.String("version", r.Version)))
	if !r.Changed.IsZero() {
		to.ObserveFloat64(o.changed, unixSeconds(r.Changed))
	}
	if !s.Certificate.IsZero() {
		to.ObserveFloat64(o.certificate, unixSeconds(s.Certificate))
	}
}

func unixSeconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// dropped is how many requests the topology had no room for.
func (t *Telemetry) dropped() int64 {
	t.recorder.mu.Lock()
	defer t.recorder.mu.Unlock()
	return int64(t.recorder.live.Dropped())
}
