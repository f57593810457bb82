package mesh_test

import (
	"slices"
	"sync"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh"
)

// A journal is what an Observer has heard.
type journal struct {
	mu        sync.Mutex // guards what follows
	requests  []mesh.RequestInfo
	retries   []mesh.RetryInfo
	circuits  []mesh.CircuitInfo
	dropped   []string
	rules     []mesh.RulesInfo
	discovery []mesh.DiscoveryInfo
}

func (j *journal) observer() mesh.Observer {
	return mesh.Observer{
		Request:       func(i mesh.RequestInfo) { note(j, &j.requests, i) },
		Retry:         func(i mesh.RetryInfo) { note(j, &j.retries, i) },
		Circuit:       func(i mesh.CircuitInfo) { note(j, &j.circuits, i) },
		MirrorDropped: func(host string) { note(j, &j.dropped, host) },
		Rules:         func(i mesh.RulesInfo) { note(j, &j.rules, i) },
		Discovery:     func(i mesh.DiscoveryInfo) { note(j, &j.discovery, i) },
	}
}

func note[T any](j *journal, list *[]T, info T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	*list = append(*list, info)
}

// told returns a copy of one of the journal's lists.
func told[T any](j *journal, list *[]T) []T {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(*list)
}

// last is the request that ended last, which no copy is.
func (j *journal) last() mesh.RequestInfo {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, i := range slices.Backward(j.requests) {
		if !i.Mirror {
			return i
		}
	}
	return mesh.RequestInfo{}
}

// events lists what happened to one endpoint's circuit.
func (j *journal) events(endpoint string) []breaker.Kind {
	var out []breaker.Kind
	for _, i := range told(j, &j.circuits) {
		if i.Endpoint == endpoint {
			out = append(out, i.Event.Kind)
		}
	}
	return out
}
