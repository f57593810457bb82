package engine

import (
	"sync"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// maxStrangers bounds how many hosts are watched of which the source says that it
// does not know them: it may have few places for watchers (a Consul agent takes 200
// connections of one address), and its own services need them.
const maxStrangers = 100

// strangeFor is for how long a host that is watched no more is taken for unknown.
const strangeFor = 30 * time.Second

// A stranger is a host that the source does not know, and the cluster that watches
// whether it comes to.
type stranger struct {
	name    string
	cluster *Cluster
}

// strangers are the hosts that the source does not know. A program that calls many
// (one that sends webhooks, say) has only the latest ones watched.
type strangers struct {
	mu      sync.Mutex // guards all below
	watched []stranger // the oldest first
	parted  []parting  // in the order of their ends
	until   map[plan.ClusterKey]time.Time
}

// A parting is that of a host that was watched.
type parting struct {
	key   plan.ClusterKey
	until time.Time
}

// meet takes note of a stranger, and has the watch of the oldest end if there are too
// many. Local names are watched for as long as others are: what is theirs is nobody
// else's, so that they are never taken for unknown unasked.
func (e *Engine) meet(name string, cl *Cluster) {
	if cl.met.Load() || cl.met.Swap(true) || e.Plan().Local(name) {
		return
	}
	if oldest, ok := e.strangers.add(stranger{name, cl}); ok {
		e.Background(func() { e.part(oldest) })
	}
}

// part ends the watch of a stranger, unless he is none any more.
func (e *Engine) part(from stranger) {
	switch {
	case from.cluster.Closed():
		return
	case !from.cluster.strange():
		from.cluster.met.Store(false)
		return
	}
	e.strangers.remember(from.cluster.Key, time.Now()) // first, so that no call begins a watch anew
	e.retire(from.cluster)
	e.state.Load().unknown.Delete(from.name)
}

// add returns the oldest if there are too many.
func (s *strangers) add(new stranger) (oldest stranger, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watched = append(s.watched, new)
	if len(s.watched) <= maxStrangers {
		return stranger{}, false
	}
	oldest = s.watched[0]
	s.watched = append(s.watched[:0], s.watched[1:]...)
	return oldest, true
}

func (s *strangers) remember(key plan.ClusterKey, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil {
		s.until = map[plan.ClusterKey]time.Time{}
	}
	p := parting{key, now.Add(strangeFor)}
	s.parted, s.until[key] = append(s.parted, p), p.until
	for first := s.parted[0]; len(s.parted) > maxClusters || !now.Before(first.until); first = s.parted[0] {
		s.parted = s.parted[1:]
		if s.until[first.key] == first.until { // else there is a later one
			delete(s.until, first.key)
		}
	}
}

// remembers reports whether a host is taken for unknown without being asked for.
func (s *strangers) remembers(key plan.ClusterKey, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.until[key])
}
