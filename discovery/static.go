package discovery

import (
	"context"
	"iter"
	"maps"
	"slices"
	"sync"
)

// Static is a Source whose content the program itself gives, and may change
// while it is watched. It is safe for concurrent use.
type Static struct {
	mu    sync.Mutex // orders the writers; readers take only the cell
	state *cell[directory]
}

// NewStatic returns a Static that knows services: by host
// ("reviews.default.svc.cluster.local"), "reviews.default" or "reviews"; the
// most specific spelling wins. A service with no endpoints is known, and empty.
// The map and its slices are copied. The error names all that is wrong.
func NewStatic(services map[string][]Endpoint) (*Static, error) {
	if err := checkServices(services); err != nil {
		return nil, err
	}
	own := make(map[string][]Endpoint, len(services))
	for name, endpoints := range services {
		own[name] = slices.Clone(endpoints)
	}
	return &Static{state: newCell(directory{services: own})}, nil
}

// Set gives service, spelt as in NewStatic, these endpoints from now on, and
// wakes those who watch. On an error nothing changes.
func (s *Static) Set(service string, endpoints []Endpoint) error {
	if err := checkService(service, endpoints); err != nil {
		return err
	}
	s.edit(func(services map[string][]Endpoint) { services[service] = slices.Clone(endpoints) })
	return nil
}

// Remove makes service unknown, and wakes those who watch.
func (s *Static) Remove(service string) {
	s.edit(func(services map[string][]Endpoint) { delete(services, service) })
}

func (s *Static) edit(change func(map[string][]Endpoint)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	services := maps.Clone(s.state.newest.Load().value.services)
	change(services)
	s.state.set(directory{services: services})
}

// Watch implements Source.
func (s *Static) Watch(ctx context.Context, service Service) iter.Seq2[[]Endpoint, error] {
	see := func(d directory) view { return d.about(service) }
	return func(yield func([]Endpoint, error) bool) { s.state.follow(ctx, context.Background(), see, yield) }
}
