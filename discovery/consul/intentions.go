package consul

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/tlsid"
)

// ErrDenied is returned (wrapped) by Check for calls that the intentions do not
// let in.
var ErrDenied = errors.New("denied by Consul's intentions")

// Intentions are Consul's word on who may call one service. They do not change,
// and any number of goroutines may ask them; nil denies everybody.
//
// The intention with the highest precedence that is about the caller decides: an
// exact source before a wildcard, for the service before for all services. Of its
// permissions the first that matches the request decides; where none does, or
// there is no intention, the cluster's default policy. A caller without an
// identity of the cluster is denied.
type Intentions struct {
	trust        string // the cluster's trust domain
	ordered      []intention
	defaultAllow bool
}

// A Call is what intentions can see of a request.
type Call struct {
	// Peer is the identity that the caller has proven; zero for none.
	Peer tlsid.ID
	// Method, Path and Header are the request's; the path normalised, escaped, and
	// without query. Keys of Header are canonical or, of gRPC, lower-case.
	Method, Path string
	Header       map[string][]string
}

type intention struct {
	source      source
	allow       bool // where there are no permissions
	permissions []permission
	text        string
}

// compileIntentions checks and orders what Consul said. What cannot be decided
// here is an error: to leave it out could let somebody in.
func compileIntentions(said []*api.Intention, trust string, defaultAllow bool) (*Intentions, error) {
	out := &Intentions{trust: trust, defaultAllow: defaultAllow}
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

// Check returns nil for a call that is let in, else why it is not.
func (in *Intentions) Check(c *Call) error {
	if in == nil {
		return fmt.Errorf("%w: none are known yet", ErrDenied)
	}
	who, ok := callerOf(c.Peer)
	if !ok || c.Peer.TrustDomain().String() != in.trust {
		return fmt.Errorf("%w: the caller has no identity of the cluster", ErrDenied)
	}
	for _, i := range in.ordered {
		if i.source.matches(who) {
			return in.verdict(i, c)
		}
	}
	return in.byDefault("no intention")
}

func (in *Intentions) verdict(i intention, c *Call) error {
	if len(i.permissions) == 0 {
		return unless(i.allow, i.text)
	}
	readings := readingsOf(c)
	for n, p := range i.permissions {
		if p.matches(&readings) {
			return unless(p.allow, fmt.Sprintf("%s, permission %d", i.text, n))
		}
	}
	return in.byDefault(i.text + ", no permission")
}

// byDefault is for what nothing was said about.
func (in *Intentions) byDefault(why string) error {
	return unless(in.defaultAllow, why+", and the default policy denies")
}

func unless(allowed bool, why string) error {
	if allowed {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrDenied, why)
}
