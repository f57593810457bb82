package main

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/inmesh-go/inmesh/examples/bookinfo/fleet"
)

// A tally counts what happens: pages as their readers see them, and requests
// between services as the meshes see them. It is safe for concurrent use.
type tally struct {
	window time.Duration // how far back samples are kept, and no further than the last restart; 0: to the start

	mu        sync.Mutex // guards all below
	pages     row
	byVersion map[string]int // pages, by whose reviews are on them
	rows      map[peer]*row
}

// A peer is one version of a service.
type peer struct{ service, version string }

// A row counts requests to one peer.
type row struct {
	requests, errors, retries, ejections int
	out                                  map[string]bool // ejected at the moment, by address
	samples                              []sample        // in order of time
}

type sample struct {
	at   time.Time
	took time.Duration
}

// newTally counts for all versions that run, so that one without requests is
// seen to have none.
func newTally(window time.Duration) *tally {
	t := &tally{window: window, byVersion: map[string]int{}, rows: map[peer]*row{}}
	for _, d := range fleet.Deployments() {
		if d.Service == "productpage" { // nobody calls it through a mesh
			continue
		}
		t.rowLocked(peer{d.Service, d.Version})
		if d.Service == "reviews" {
			t.byVersion[d.Version] = 0
		}
	}
	return t
}

func (t *tally) rowLocked(p peer) *row {
	r := t.rows[p]
	if r == nil {
		r = &row{out: map[string]bool{}}
		t.rows[p] = r
	}
	return r
}

// page counts a page that took so long, with the reviews of version; it is ""
// for a page that failed.
func (t *tally) page(version string, took time.Duration, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pages.add(took, version == "", now, t.window)
	if version != "" {
		t.byVersion[version]++
	}
}

func (t *tally) request(p peer, took time.Duration, failed bool, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rowLocked(p).add(took, failed, now, t.window)
}

func (t *tally) retry(p peer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rowLocked(p).retries++
}

func (t *tally) ejected(p peer, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.rowLocked(p)
	r.ejections++
	r.out[address] = true
}

func (t *tally) readmitted(p peer, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.rowLocked(p).out, address)
}

// restart forgets the samples, so that shares and percentiles are those of the
// rules that are now in force. Without a window they are those of the whole run.
func (t *tally) restart() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.window == 0 {
		return
	}
	t.pages.samples = nil
	for _, r := range t.rows {
		r.samples = nil
	}
}

func (r *row) add(took time.Duration, failed bool, now time.Time, window time.Duration) {
	r.requests++
	if failed {
		r.errors++
	}
	r.forget(now, window)
	r.samples = append(r.samples, sample{now, took})
}

// forget drops the samples that are older than the window.
func (r *row) forget(now time.Time, window time.Duration) {
	if window == 0 {
		return
	}
	old := 0
	for old < len(r.samples) && now.Sub(r.samples[old].at) > window {
		old++
	}
	r.samples = r.samples[old:]
}

// A figures is a row at one moment.
type figures struct {
	peer
	requests, errors, retries, ejections int
	out                                  int // servers that are ejected now
	recent                               int // requests within the window
	p50, p99                             time.Duration
}

// A picture is a tally at one moment.
type picture struct {
	pages     figures
	byVersion map[string]int
	rows      []figures // by service and version
}

// at takes the picture.
func (t *tally) at(now time.Time) picture {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := picture{byVersion: maps.Clone(t.byVersion)}
	p.pages = t.pages.figures(peer{service: "pages"}, now, t.window)
	for _, key := range t.orderLocked() {
		f := t.rows[key].figures(key, now, t.window)
		p.rows = append(p.rows, f)
		p.pages.retries += f.retries
		p.pages.ejections += f.ejections
		p.pages.out += f.out
	}
	return p
}

func (t *tally) orderLocked() []peer {
	return slices.SortedFunc(maps.Keys(t.rows), comparePeers)
}

func (r *row) figures(key peer, now time.Time, window time.Duration) figures {
	r.forget(now, window)
	took := make([]time.Duration, len(r.samples))
	for i, s := range r.samples {
		took[i] = s.took
	}
	slices.Sort(took)
	return figures{
		peer: key, requests: r.requests, errors: r.errors, retries: r.retries, ejections: r.ejections,
		out: len(r.out), recent: len(took), p50: percentile(took, 50), p99: percentile(took, 99),
	}
}

// percentile is the smallest value that at least p percent of the sorted values
// do not exceed; 0 of none.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)*p+99)/100-1]
}

// share is the part in percent of the recent requests to a service that this
// peer had.
func (p picture) share(f figures) float64 {
	all := 0
	for _, other := range p.rows {
		if other.service == f.service {
			all += other.recent
		}
	}
	if all == 0 {
		return 0
	}
	return 100 * float64(f.recent) / float64(all)
}
