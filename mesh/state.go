package mesh

import (
	"cmp"
	"errors"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// state is what metrics tell of the mesh itself.
func (m *Mesh) state() telemetry.State {
	m.reporter.TellStreams()
	s, now := m.Status(), time.Now()
	out := telemetry.State{
		MirrorDrops: int64(s.MirrorDrops),
		Certificate: s.Identity.NotAfter,
		Rules: telemetry.RulesState{
			Version: s.Rules.Version, Objects: int64(s.Rules.Objects), Rejected: faulty(s.Rules.Err),
			Reloads: int64(m.status.reloads.Load()), Failures: int64(s.Rules.Rejected), Changed: s.Rules.Since,
		},
	}
	for _, cl := range m.engine.Clusters() {
		out.Destinations = append(out.Destinations, destinationState(cl, now))
	}
	return out
}

// faulty counts the objects that are at fault for an error. What is no fault of an
// object counts as one.
func faulty(err error) int64 {
	if err == nil {
		return 0
	}
	objects := map[[3]string]bool{}
	for _, f := range faultsIn(err) {
		if f.Severity != rules.Warning {
			objects[[3]string{f.Kind, f.Namespace, cmp.Or(f.Name, f.File)}] = true
		}
	}
	return max(int64(len(objects)), 1)
}

// faultsIn are those of all errors that were joined.
func faultsIn(err error) (all rules.Faults) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			all = append(all, faultsIn(one)...)
		}
		return all
	}
	_ = errors.As(err, &all)
	return all
}

func destinationState(cl *engine.Cluster, now time.Time) telemetry.DestinationState {
	usage, limits, counts := cl.Gate().Usage(), cl.Gate().Limits(), cl.Counts()
	active, most := cl.Retries(now)
	discovered, _ := cl.Discovered()
	return telemetry.DestinationState{
		Service: cl.Key.Host, Subset: cl.Key.Subset, Port: int(cl.Key.Port), Via: cl.Key.Via,
		Retries: int64(counts.Retries), RetriesRefused: int64(counts.RetriesRefused), RetriesActive: int64(active), RetryLimit: int64(most),
		Requests: int64(usage.Requests), RequestLimit: boundOf(limits.MaxRequests),
		Connections: int64(usage.Connections), ConnectionLimit: boundOf(limits.MaxConnections),
		Pending: int64(usage.Pending), PendingLimit: boundOf(limits.MaxPending),
		Overflows: int64(counts.Overflows), Ejections: int64(counts.Ejections),
		Hosts: hostStates(cl, now), Discovered: discovered,
	}
}

// boundOf is one of breaker.Limits as metrics have it, to which 0 is none at all.
func boundOf(n uint32) int64 {
	if n == 0 {
		return -1
	}
	return int64(n)
}

func hostStates(cl *engine.Cluster, now time.Time) (out telemetry.HostStates) {
	for _, h := range cl.Hosts() {
		switch state := cl.CircuitInfo(h, now).State; {
		case state == breaker.Open:
			out.Open++
		case state == breaker.HalfOpen:
			out.HalfOpen++
		case h.Endpoint().Health == discovery.Unhealthy:
			out.Unhealthy++
		default:
			out.Closed++
		}
	}
	return out
}
