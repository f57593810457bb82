package consulca

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/inmesh-go/inmesh/tlsid"
)

const repeatExpiry = time.Hour

// A relay makes credentials of leaves and roots, and yields them, what is wrong,
// and what time does to the newest.
type relay struct {
	yield func(tlsid.Credential, error) bool

	leaf    *leaf
	roots   *roots
	trouble map[string]string // by part: what was told
	newest  tlsid.Credential
	yielded bool      // newest was
	due     time.Time // when there may be something to say of newest's time
}

// run returns when ctx ends, or the caller has had enough.
func (r *relay) run(ctx context.Context, heard <-chan part) {
	r.trouble, r.due = map[string]string{}, r.change(time.Now())
	for r.step(ctx, heard) {
	}
}

func (r *relay) step(ctx context.Context, heard <-chan part) (more bool) {
	timer := time.NewTimer(time.Until(r.due))
	defer timer.Stop()
	select {
	case p := <-heard:
		return ctx.Err() == nil && r.take(p, time.Now())
	case <-timer.C:
		return ctx.Err() == nil && r.tellAge(time.Now())
	case <-ctx.Done():
		return false
	}
}

// joining is the part of the trouble that is about both.
const joining = "credential"

// take takes in what the agent has said. Most of it is what it has said before, of
// which a credential is made again where that was trouble: time may have cured it.
func (r *relay) take(p part, now time.Time) bool {
	if p.err != nil {
		return r.lament(p.what, p.err)
	}
	mended := r.trouble[p.what] != ""
	delete(r.trouble, p.what)
	if r.changes(p) || r.trouble[joining] != "" {
		return r.join(now)
	}
	if mended {
		r.yielded = false // the end of trouble is worth a repetition
		return r.tellAge(now)
	}
	return true
}

// changes keeps a part, and says whether it is another than before.
func (r *relay) changes(p part) bool {
	if p.leaf != nil {
		same := r.leaf != nil && r.leaf.serial == p.leaf.serial
		r.leaf = p.leaf
		return !same
	}
	same := r.roots != nil && r.roots.bundles.Equal(p.roots.bundles)
	r.roots = p.roots
	return !same
}

// join makes a credential of the parts, once there are both.
func (r *relay) join(now time.Time) bool {
	if r.leaf == nil || r.roots == nil {
		return true
	}
	c, err := credential(r.leaf, r.roots, now)
	if err != nil {
		return r.lament(joining, fmt.Errorf("consulca: %w", err))
	}
	delete(r.trouble, joining)
	r.newest, r.yielded = c, false
	return r.tellAge(now)
}

// lament tells trouble, once while it stays the same.
func (r *relay) lament(what string, err error) bool {
	if r.trouble[what] == err.Error() {
		return true
	}
	r.trouble[what] = err.Error()
	return r.yield(tlsid.Credential{}, err)
}

// tellAge yields newest once it is in time, and what is wrong with its time.
func (r *relay) tellAge(now time.Time) bool {
	r.due = r.change(now)
	if r.newest.IsZero() {
		return true
	}
	err := r.newest.Check(now)
	if !r.yielded && !errors.Is(err, tlsid.ErrOutOfTime) {
		r.yielded = true
		if !r.yield(r.newest, nil) {
			return false
		}
	}
	return err == nil || r.yield(tlsid.Credential{}, err)
}

// change is when what Check says of newest changes next or, if it will not, when
// to repeat it.
func (r *relay) change(now time.Time) time.Time {
	if at, ok := r.newest.NextChange(now); ok {
		return at
	}
	return now.Add(repeatExpiry)
}
