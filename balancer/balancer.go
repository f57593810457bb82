package balancer

import (
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
)

// A Balancer chooses among the hosts of one destination. Picks read one immutable picture and
// take no lock; changes are serialised and replace the picture. All methods are safe for
// concurrent use.
//
// T is what the owner keeps for each host. If it holds something to close, close it for the hosts
// that Update returns as removed.
type Balancer[T any] struct {
	begin   func(state *T, e discovery.Endpoint)
	picture atomic.Pointer[picture[T]]

	mu       sync.Mutex // orders changes; guards what follows
	cfg      Config     // with its defaults
	known    map[string]*Host[T]
	hosts    []*Host[T] // in order of appearance; replaced, never changed
	sections [][]*section[T]
	round    uint64 // counts Updates
}

// New returns a Balancer without hosts. begin readies the State of a new Host, in its place; it is
// called from Update, without any lock held, and at times for a host that is not needed in the
// end; nil leaves State zero.
//
// A cfg that its Validate refuses is not put in force: the Balancer starts with the zero Config. Who
// takes cfg from elsewhere calls Validate first.
func New[T any](cfg Config, begin func(state *T, e discovery.Endpoint)) *Balancer[T] {
	if cfg.Validate() != nil {
		cfg = Config{}
	}
	if begin == nil {
		begin = func(*T, discovery.Endpoint) {}
	}
	b := &Balancer[T]{begin: begin, cfg: cfg.withDefaults(), known: map[string]*Host[T]{}}
	b.paintLocked(time.Time{})
	return b
}

// Configure puts cfg in force at the time now, and refreshes; hosts and their counters stay. What
// cfg.Validate refuses is returned and changes nothing. cfg must not be changed afterwards.
func (b *Balancer[T]) Configure(cfg Config, now time.Time) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if cfg = cfg.withDefaults(); reflect.DeepEqual(cfg, b.cfg) {
		b.paintLocked(now)
		return nil
	}
	b.cfg = cfg
	b.rearrangeLocked(now)
	return nil
}

// Update makes eps the endpoints to choose from, at the time now, and returns the hosts that came
// and went. A host is its address: one that stays keeps its counters and its State, and only its
// description changes. Of several endpoints with one address the first counts. The order of eps
// does not matter; eps is not kept.
//
// An empty eps removes all hosts. Whoever doubts it should not pass it on. Updates should come from
// one goroutine: of two at once the later one stands, and may let in again a host that the
// earlier has just returned as removed.
func (b *Balancer[T]) Update(eps []discovery.Endpoint, now time.Time) (added, removed []*Host[T]) {
	found := b.find(eps)
	b.complete(found, eps)
	b.mu.Lock()
	defer b.mu.Unlock()
	added, changed := b.mergeLocked(eps, found, now)
	removed = b.dropLocked()
	if len(added)+len(removed) > 0 {
		b.hosts = append(slices.DeleteFunc(slices.Clone(b.hosts), func(h *Host[T]) bool { return !h.known }), added...)
	}
	if changed || len(added)+len(removed) > 0 {
		b.rearrangeLocked(now)
	}
	return added, removed
}

// find returns the known host for each endpoint, or nil.
func (b *Balancer[T]) find(eps []discovery.Endpoint) []*Host[T] {
	b.mu.Lock()
	defer b.mu.Unlock()
	found := make([]*Host[T], len(eps))
	for i := range eps {
		found[i] = b.known[eps[i].Address]
	}
	return found
}

// complete makes the hosts that are missing, one for each address: who counts those
// that begin has seen counts no host twice.
func (b *Balancer[T]) complete(found []*Host[T], eps []discovery.Endpoint) {
	fresh := map[string]*Host[T]{}
	for i, h := range found {
		if h != nil {
			continue
		}
		h = fresh[eps[i].Address]
		if h == nil {
			h = new(Host[T])
			b.begin(&h.State, eps[i])
			fresh[eps[i].Address] = h
		}
		found[i] = h
	}
}

// mergeLocked describes the hosts found for eps, and lets in those that are not known. Between
// find and here another Update may have let in a host for the same address: that one is used. Or
// it may have removed one that find found: that one comes back, counters and all.
func (b *Balancer[T]) mergeLocked(eps []discovery.Endpoint, found []*Host[T], now time.Time) (added []*Host[T], changed bool) {
	b.round++
	for i, h := range found {
		if !h.known {
			if other := b.known[eps[i].Address]; other != nil {
				h = other
			} else {
				b.known[eps[i].Address], h.known = h, true
				h.mark(gone, false)
				added = append(added, h)
			}
		}
		if h.round == b.round {
			continue // a second endpoint with this address
		}
		h.round = b.round
		if h.endpoint.Load() == nil || !h.described(&eps[i]) {
			h.describe(eps[i], now)
			changed = true
		}
	}
	return added, changed
}

// dropLocked forgets the hosts that the latest Update did not name.
func (b *Balancer[T]) dropLocked() (removed []*Host[T]) {
	for _, h := range b.hosts {
		if h.round != b.round {
			h.known = false
			h.mark(gone, true)
			delete(b.known, h.Address())
			removed = append(removed, h)
		}
	}
	return removed
}

// Refresh recomputes who may be picked, the split between priorities and panics, from what
// SetAvailable and Update said, at the time now. Call it after SetAvailable; until then a host
// that became unavailable is stepped over, and one that became available waits.
func (b *Balancer[T]) Refresh(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.paintLocked(now)
}

func (b *Balancer[T]) rearrangeLocked(now time.Time) {
	for _, h := range b.hosts {
		h.mark(measured, b.cfg.Policy == PeakEWMA)
	}
	b.sections = arrange(b.cfg, b.hosts, b.sections)
	b.paintLocked(now)
}

func (b *Balancer[T]) paintLocked(now time.Time) {
	b.picture.Store(paint(b.cfg, b.hosts, b.sections, now.UnixNano()))
}

// Hosts returns all hosts, those first that came first. The slice is shared: do not change it.
func (b *Balancer[T]) Hosts() []*Host[T] {
	hosts := b.picture.Load().hosts
	return hosts[:len(hosts):len(hosts)]
}
