package jwt

import (
	"cmp"
	"context"
	"crypto/sha256"
	"slices"
	"time"
)

// maxTokens bounds the tokens of one request: each may cost a signature check.
const maxTokens = 8

// An Authenticator holds requests to the rules of one workload. It is immutable.
type Authenticator struct {
	rules    []*rule  // sorted by issuer
	spots    []*spot  // the places of all rules, each once
	written  []string // headers that the rules write
	verified *cache
}

// A spot is a place, and what to take out of a request where a token from there
// is not forwarded. A cookie stays, as with Envoy.
type spot struct {
	place
	remove     []string // what the rules write, and the header of the place
	parameters []string
}

func newSpot(p place, written []string) *spot {
	s := &spot{place: p, remove: written}
	switch p.kind {
	case inHeader:
		s.remove = append(slices.Clip(written), p.name)
	case inQuery:
		s.parameters = []string{p.name}
	}
	return s
}

// A sighting is a token somewhere in the request.
type sighting struct {
	spot  *spot
	raw   string
	hash  [sha256.Size]byte
	known *verdict // what is remembered of the token, by whichever rule
	token *token   // nil unless parsed
	bad   status   // why it could not be parsed
}

// Authenticate looks for tokens in the request and verifies them. Istio's
// requirement is {P1 or ... or Pn or all of {Pi or missing}}: one token that is
// valid for any rule is enough, and no token at all is fine.
//
// It may wait for keys, at most for the rule's timeout (default 5 s) and until
// ctx ends; then the token is refused.
func (a *Authenticator) Authenticate(ctx context.Context, req *Request) (Result, *Refusal) {
	if len(a.rules) == 0 || req.preflight() {
		return Result{Remove: a.written}, nil
	}
	var room [maxTokens]sighting
	seen, ok := a.look(req, room[:0])
	if !ok {
		return Result{}, refuse(req, tooMany, nil)
	}
	if len(seen) == 0 {
		return Result{Remove: a.written}, nil
	}
	return a.judge(ctx, req, seen)
}

// look finds the tokens, those of each place once; not ok where they are too many.
func (a *Authenticator) look(req *Request, seen []sighting) ([]sighting, bool) {
	var room [maxTokens]string
	for _, at := range a.spots {
		for _, raw := range at.tokens(req, room[:0]) {
			if len(seen) == maxTokens {
				return nil, false
			}
			seen = append(seen, a.sight(at, raw))
		}
	}
	return seen, true
}

func (a *Authenticator) sight(at *spot, raw string) sighting {
	s := sighting{spot: at, raw: raw}
	if len(raw) > maxRemembered {
		return s
	}
	s.hash = hashOf(raw)
	if s.known = a.verified.get(s.hash); s.known != nil {
		s.token = s.known.token
	}
	return s
}

func (s *sighting) parse() (*token, status) {
	if s.token == nil && s.bad == valid {
		s.token, s.bad = parse(s.raw)
	}
	return s.token, s.bad
}

// judge asks the rules one after the other; the first that is content decides.
func (a *Authenticator) judge(ctx context.Context, req *Request, seen []sighting) (Result, *Refusal) {
	now := time.Now()
	var b blame
	for _, r := range a.rules {
		v, s := a.ask(ctx, r, seen, now)
		if s = cmp.Or(s, r.admitsRest(req)); s == valid {
			return a.result(r, v, req, seen), nil
		}
		b.add(r, s)
	}
	r, s := b.verdict()
	return Result{}, refuse(req, s, r)
}

// ask holds all tokens at the rule's places to the rule: "If a request has
// multiple tokens, all of them must be valid. Otherwise [...] a request has a
// good token and a bad one, it will pass verification, forwarded to the backend,
// and the backend may mistakenly use the bad token" (Envoy, authenticator.cc).
// The last is asked first, so the token of the first place is the one that counts.
func (a *Authenticator) ask(ctx context.Context, r *rule, seen []sighting, now time.Time) (v *verdict, s status) {
	s = missing
	for i := range slices.Backward(seen) {
		if !slices.Contains(r.places, seen[i].spot.place) {
			continue
		}
		if v, s = a.verify(ctx, r, &seen[i], now); s != valid {
			return nil, s
		}
	}
	return v, s
}

func (a *Authenticator) verify(ctx context.Context, r *rule, seen *sighting, now time.Time) (*verdict, status) {
	t, s := seen.parse()
	if s != valid {
		return nil, s
	}
	if s := cmp.Or(r.admitsIssuer(t), t.at(now), r.admitsAudience(t)); s != valid {
		return nil, s
	}
	if k := seen.known; k != nil && k.rule == r && k.keys == r.keys.current(now) {
		return k, valid
	}
	keys, s := r.keys.verify(ctx, seen.raw, t)
	if s != valid {
		return nil, s
	}
	v := &verdict{token: t, rule: r, keys: keys, auth: newAuth(t, r.split), tell: r.tell(t)}
	if len(seen.raw) <= maxRemembered {
		a.verified.put(seen.hash, v)
	}
	return v, valid
}

func (a *Authenticator) result(r *rule, v *verdict, req *Request, seen []sighting) Result {
	res := Result{Auth: v.auth, Add: v.tell}
	if r.forward {
		res.Remove = a.written
		return res
	}
	for i := range seen {
		if slices.Contains(r.places, seen[i].spot.place) {
			res.takeOut(seen[i].spot)
		}
	}
	for _, p := range r.places {
		if p.mayBeRead(req) && !slices.Contains(res.Remove, p.name) {
			res.Remove = joined(res.Remove, []string{p.name})
		}
	}
	return res
}
