package jwt

import (
	"net/http"
	"sync"

	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// Config says how keys are fetched. The zero value works.
type Config struct {
	// Client fetches keys; nil: one of its own, which goes through the proxy that
	// the environment names. Its CheckRedirect is not used: at most three
	// redirects are followed, and none from https to http.
	Client *http.Client
	// Report is told what is wrong with keys: each fetch that failed, and inline
	// sets that cannot be used. Several goroutines may call it at once; it must
	// not block, nor call the Keyring, which waits for them. nil: nobody is told.
	Report func(error)
}

// A Workload is what policies select by.
type Workload struct {
	Namespace string
	Labels    map[string]string
}

// A Keyring has the keys of all issuers, and the tokens that were verified with
// them; both outlive the rules. It is safe for concurrent use.
type Keyring struct {
	fetcher  fetcher
	report   func(error)
	verified *cache

	mu     sync.Mutex // guards what follows
	inUse  inUse
	closed bool
}

// inUse is what the newest rules need.
type inUse struct {
	sources map[sourceID]source
	rules   map[*security.JWTRule]*rule // a rule that did not change keeps its verified tokens
}

// New returns a Keyring without keys. Close it.
func New(c Config) *Keyring {
	if c.Report == nil {
		c.Report = func(error) {}
	}
	return &Keyring{fetcher: newFetcher(c.Client), report: c.Report, verified: newCache()}
}

// Compile returns the Authenticator of the policies that apply to w. Fetching
// begins for keys that are new, goes on for those that earlier rules named too,
// and stops for those that only earlier rules named: compile what is then put in
// force. A rule whose keys cannot be used refuses its tokens. After Close no keys
// are fetched any more.
func (k *Keyring) Compile(policies []*rules.RequestAuthentication, w Workload, root string) *Authenticator {
	k.mu.Lock()
	c := k.compilationLocked()
	for _, p := range policies {
		if applies(p, w, root) {
			c.add(p)
		}
	}
	old := k.inUse
	k.inUse = c.next
	k.mu.Unlock()
	old.closeBut(c.next)
	c.tell(k.report)
	return c.authenticator(k.verified)
}

// Close ends all fetching and returns when it has ended. Authenticators go on
// with the keys that they have, for as long as these may be used (an hour).
func (k *Keyring) Close() {
	k.mu.Lock()
	old := k.inUse
	k.inUse, k.closed = inUse{}, true
	k.mu.Unlock()
	old.closeBut(inUse{})
}

func (old inUse) closeBut(next inUse) {
	for id, s := range old.sources {
		if next.sources[id] != s {
			s.close()
		}
	}
}
