package jwt

import (
	"cmp"
	"context"
	"time"

	security "istio.io/api/security/v1beta1"
)

// A source has the keys of one issuer.
type source interface {
	// current returns the keys of now; nil where there are none.
	current(now time.Time) *keySet
	// verify holds the token to the keys, and returns those that it was good for.
	verify(ctx context.Context, raw string, t *token) (*keySet, status)
	close()
}

// defaultTimeout bounds a fetch of keys, and the wait for it (Istio: JWTRule.timeout).
const defaultTimeout = 5 * time.Second

// A sourceID is what a rule says of its keys. Rules that say the same share them.
type sourceID struct {
	inline  string // the key set itself
	uri     string // where it is
	issuer  string // who knows where it is
	timeout time.Duration
}

func (id sourceID) String() string {
	if id.uri != "" {
		return redacted(id.uri)
	}
	return "issuer " + redacted(id.issuer)
}

func identify(spec *security.JWTRule) sourceID {
	if spec.GetJwks() != "" {
		return sourceID{inline: spec.GetJwks()}
	}
	id := sourceID{uri: spec.GetJwksUri(), timeout: cmp.Or(spec.GetTimeout().AsDuration(), defaultTimeout)}
	if id.uri == "" {
		id.issuer = spec.GetIssuer()
	}
	return id
}

// inline keys stand in the rule.
type inline struct{ keys *keySet }

func (s *inline) current(time.Time) *keySet { return s.keys }
func (s *inline) close()                    {}

func (s *inline) verify(_ context.Context, raw string, t *token) (*keySet, status) {
	return s.keys, s.keys.verify(raw, t)
}

// broken keys refuse every token, always with the same words.
type broken status

func (s broken) current(time.Time) *keySet { return nil }
func (s broken) close()                    {}

func (s broken) verify(context.Context, string, *token) (*keySet, status) { return nil, status(s) }
