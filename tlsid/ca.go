package tlsid

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A CA vouches for the workloads of one trust domain. It is safe for concurrent
// use and runs nothing by itself: whoever watches one of its sources looks after
// its roots.
//
// Everybody who can read its directory can be any workload: a CA is for the
// processes of one machine and one user, and for tests.
type CA struct {
	config CAConfig
	roots  keeper
	mu     sync.Mutex // orders readings of the roots, so that none is replaced by an older one
	live   atomic.Pointer[generation]
}

// A generation is the roots as they are known until over is closed.
type generation struct {
	lineage lineage
	over    chan struct{}
}

// A keeper keeps the roots.
type keeper interface {
	// read returns the roots; known if they have not changed since.
	read(known lineage) (lineage, error)
	// add adds a root, unless somebody else has added one of its number; it
	// forgets the first roots, as many as have retired. It returns what is there.
	add(known lineage, r *root, retired int) (lineage, error)
}

// NewCA returns a CA. Where several processes begin with the same empty
// directory at the same time, one of them makes the root and all take it.
func NewCA(c CAConfig) (*CA, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("CA: %w", err)
	}
	ca := &CA{config: c, roots: memory{}}
	if c.Dir != "" {
		ca.roots = &directory{path: c.Dir, config: c}
	}
	if err := ca.start(wallClock()); err != nil {
		return nil, ca.wrap(err)
	}
	return ca, nil
}

func (ca *CA) start(now time.Time) error {
	known, err := ca.roots.read(nil)
	if errors.Is(err, errNoRoots) {
		known, err = ca.add(nil, 1, now)
	}
	if err != nil {
		return err
	}
	ca.live.Store(&generation{known, make(chan struct{})})
	return nil
}

// Workload returns the source of a workload's credentials. The name is that of
// a service account in the namespace default, or namespace/account: "reviews"
// is spiffe://cluster.local/ns/default/sa/reviews. Of a name that is none the
// source has only that to say, as an error.
func (ca *CA) Workload(name string) Source {
	namespace, account, ok := strings.Cut(name, "/")
	if !ok {
		namespace, account = "default", name
	}
	id, err := ForWorkload(ca.config.TrustDomain, namespace, account)
	if err != nil {
		return caSource{ca: ca, err: ca.wrap(err)}
	}
	return ca.Source(id)
}

// Source returns the source of the credentials of any identity of the CA's trust
// domain. Of another identity it has only that to say, as an error.
func (ca *CA) Source(id ID) Source { return caSource{ca, id, ca.check(id)} }

// Issue returns one credential, which nobody renews.
func (ca *CA) Issue(id ID) (Credential, error) {
	if err := ca.check(id); err != nil {
		return Credential{}, err
	}
	now := wallClock()
	v := ca.view(now)
	credential, err := v.signer.issue(id, now.Add(ca.config.LeafLifetime), now)
	if err != nil {
		return Credential{}, ca.wrap(err)
	}
	return credential.With(v.bundles), nil
}

// Bundles returns the roots that are trusted now.
func (ca *CA) Bundles() Bundles { return ca.view(wallClock()).bundles }

// Rotate replaces the root. The new root is trusted at once and signs when
// Announce is over; the old one is trusted until the last leaf that it signed
// has expired. A rotation that is not over yet is an error.
func (ca *CA) Rotate() error {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	now := wallClock()
	known, err := ca.roots.read(ca.live.Load().lineage)
	if err != nil {
		return ca.wrap(err)
	}
	if from := known.newest().signsFrom; now.Before(from) {
		return ca.wrap(fmt.Errorf("a rotation is under way: its root signs from %s", from.Format(time.RFC3339)))
	}
	return ca.wrap(ca.succeedLocked(known, now))
}

// refresh learns what other processes have done, and does what is due.
func (ca *CA) refresh(now time.Time) error {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	known, err := ca.roots.read(ca.live.Load().lineage)
	if err != nil {
		return ca.wrap(err)
	}
	ca.publishLocked(known)
	if last := known.newest(); now.Before(last.certificate.NotAfter.Add(-ca.config.RootLifetime / 5)) {
		return nil
	}
	return ca.wrap(ca.succeedLocked(known, now))
}

func (ca *CA) succeedLocked(known lineage, now time.Time) error {
	known, err := ca.add(known, known.newest().number+1, now)
	if err == nil {
		ca.publishLocked(known)
	}
	return err
}

func (ca *CA) add(known lineage, number int, now time.Time) (lineage, error) {
	r, err := newRoot(number, ca.config, now)
	if err != nil {
		return nil, err
	}
	_, retired := known.trusted(ca.config, now)
	return ca.roots.add(known, r, retired)
}

// publishLocked shows a lineage to everybody and wakes who waits for it.
func (ca *CA) publishLocked(known lineage) {
	if old := ca.live.Load(); !old.lineage.same(known) {
		ca.live.Store(&generation{known, make(chan struct{})})
		close(old.over)
	}
}

func (ca *CA) check(id ID) error {
	switch {
	case id.domain != ca.config.TrustDomain:
		return ca.wrap(fmt.Errorf("identity %s is not of the trust domain", quote(id.String())))
	case id.path == "":
		return ca.wrap(fmt.Errorf("identity %s has no path, so it is of no workload", id))
	}
	return nil
}

func (ca *CA) wrap(err error) error {
	if err == nil {
		return nil
	}
	if ca.config.Dir == "" {
		return fmt.Errorf("CA of %s: %w", ca.config.TrustDomain, err)
	}
	return fmt.Errorf("CA of %s in %s: %w", ca.config.TrustDomain, ca.config.Dir, err)
}
