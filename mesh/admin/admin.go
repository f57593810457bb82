package admin

import (
	"crypto/rand"
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
)

// A Config says who may look, and where else to look. The zero Config works: it
// lets in callers on this machine, and tells of this process.
type Config struct {
	// Allow decides about callers that are not on this machine: AllowPeers, or any
	// other policy. It may be called by many goroutines at once. Nil: they are
	// refused.
	Allow func(*http.Request) bool
	// Hosts are names, without a port, by which browsers reach the pages, beside
	// localhost and addresses: what a request names otherwise is refused, for a page
	// of somebody else may have had its own name point here. Nil: none.
	Hosts []string
	// Fleet says where other instances of the mesh have pages like these, so that
	// one topology can show all. Zero: only endpoints that say so have any.
	Fleet Fleet
}

// New returns the handler that shows a Mesh. Mount it under any prefix, by
// http.StripPrefix. It is safe for concurrent use, and has nothing to close: its
// streams end with their requests, or with the Mesh.
func New(m *mesh.Mesh, c Config) http.Handler {
	a := &admin{mesh: m, config: c, id: rand.Text(), started: time.Now(), taps: make(chan struct{}, maxTaps), client: c.Fleet.client()}
	a.fleet = newGatherer(a)
	return a.guarded(a.routes())
}

// An admin is one handler.
type admin struct {
	mesh    *mesh.Mesh
	config  Config
	id      string // tells this process from others
	started time.Time
	taps    chan struct{} // one token for each stream
	client  *http.Client  // asks other instances
	fleet   *gatherer
}

func (a *admin) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/topology", a.topology)
	mux.HandleFunc("GET /api/destinations", a.destinations)
	mux.HandleFunc("GET /api/rules", a.rules)
	mux.HandleFunc("GET /api/certificates", a.certificates)
	mux.HandleFunc("GET /api/requests", a.requests)
	mux.HandleFunc("GET /api/config", a.dump)
	mux.HandleFunc("GET /api/explain", a.explain)
	mux.HandleFunc("GET /api/tap", a.tap)
	mux.HandleFunc("GET /api/version", a.version)
	mux.Handle("GET /", pages())
	return mux
}
