package consul

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/mesh/authz"
)

// ErrDenied is why the intentions do not let a request in (wrapped).
var ErrDenied = errors.New("denied by Consul's intentions")

// intentions are Consul's word on who may call one service. They do not change.
//
// The intention with the highest precedence that is about the caller decides: an
// exact source before a wildcard, for the service before for all services. Of its
// permissions the first that matches the request decides; where none does, or
// there is no intention, the cluster's default policy. A caller without an
// identity of the cluster is denied.
type intentions struct {
	trust        string // the cluster's trust domain
	ordered      []intention
	defaultAllow bool
}

type intention struct {
	source      source
	allow       bool // where there are no permissions
	permissions []permission
	text        string
}

// compileIntentions checks and orders what Consul said. What cannot be decided
// here is an error: to leave it out could let somebody in.
func compileIntentions(said []*api.Intention, trust string, defaultAllow bool) (*intentions, error) {
	out := &intentions{trust: trust, defaultAllow: defaultAllow}
	var faults []error
	said = slices.Clone(said)
	slices.SortStableFunc(said, func(a, b *api.Intention) int { return cmp.Compare(b.Precedence, a.Precedence) })
	for _, s := range said {
		if s.SourcePeer != "" {
			continue // nobody of another cluster has an identity of this one
		}
		i, err := compileIntention(s)
		if err != nil {
			faults = append(faults, fmt.Errorf("intention %s: %w", s, err))
		}
		out.ordered = append(out.ordered, i)
	}
	return out, errors.Join(faults...)
}

func compileIntention(s *api.Intention) (intention, error) {
	out := intention{source: sourceOf(s), text: s.String()}
	var faults []error
	if s.SourceSamenessGroup != "" {
		faults = append(faults, errors.New("sameness groups are not supported"))
	}
	if len(s.Permissions) == 0 {
		allow, err := allows(s.Action)
		out.allow, faults = allow, append(faults, err)
	}
	for i, p := range s.Permissions {
		compiled, err := compilePermission(p)
		if err != nil {
			faults = append(faults, fmt.Errorf("permission %d: %w", i, err))
		}
		compiled.text = fmt.Sprintf(", permission %d", i)
		out.permissions = append(out.permissions, compiled)
	}
	return out, errors.Join(faults...)
}

func allows(a api.IntentionAction) (bool, error) {
	switch a {
	case api.IntentionActionAllow:
		return true, nil
	case api.IntentionActionDeny:
		return false, nil
	}
	return false, fmt.Errorf("action %q: want allow or deny", a)
}

// Check implements authz.Checker.
func (in *intentions) Check(r *authz.Request) error {
	who, ok := callerOf(r.Peer)
	if !ok || r.Peer.TrustDomain().String() != in.trust {
		return fmt.Errorf("%w: the caller has no identity of the cluster", ErrDenied)
	}
	for n := range in.ordered {
		if i := &in.ordered[n]; i.source.matches(who) {
			return in.verdict(i, r)
		}
	}
	return in.byDefault("no intention")
}

// verdict is that of the one intention that decides. Of a connection whose
// requests nobody can see, permissions allow nothing, as in Consul's proxies.
func (in *intentions) verdict(i *intention, r *authz.Request) error {
	switch {
	case len(i.permissions) == 0:
		return i.unless(i.allow, "")
	case r.TCP:
		return i.unless(false, ", whose permissions are about requests")
	}
	for n := range i.permissions {
		if p := &i.permissions[n]; p.matches(r) {
			return i.unless(p.allow, p.text)
		}
	}
	return in.byDefault(i.text + ", no permission")
}

// byDefault is for what nothing was said about.
func (in *intentions) byDefault(why string) error {
	if in.defaultAllow {
		return nil
	}
	return fmt.Errorf("%w: %s, and the default policy denies", ErrDenied, why)
}

func (i *intention) unless(allowed bool, where string) error {
	if allowed {
		return nil
	}
	return fmt.Errorf("%w: %s%s", ErrDenied, i.text, where)
}
