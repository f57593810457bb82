package jwt

import (
	"net/http"
	"slices"
	"strings"

	security "istio.io/api/security/v1beta1"
)

// A rule is one compiled JWTRule. It is immutable but for its keys.
type rule struct {
	origin    string   // policy and index, for logs
	issuer    string   // "": any
	audiences []string // none: not checked; without scheme and last slash
	places    []place
	forward   bool     // the token stays in the request
	payload   string   // the header that tells the payload, "": none
	outputs   []output // the headers that tell a claim
	split     []string // claims that are split on spaces
	keys      source
}

type output struct{ header, claim string }

func newRule(spec *security.JWTRule, origin string, keys source) *rule {
	r := &rule{
		origin: origin, keys: keys,
		issuer:  spec.GetIssuer(),
		places:  placesOf(spec),
		forward: spec.GetForwardOriginalToken(),
		split:   append([]string{"scope", "permission"}, spec.GetSpaceDelimitedClaims()...),
	}
	for _, audience := range spec.GetAudiences() {
		r.audiences = append(r.audiences, bareAudience(audience))
	}
	if h := spec.GetOutputPayloadToHeader(); h != "" {
		r.payload = http.CanonicalHeaderKey(h)
	}
	for _, o := range spec.GetOutputClaimToHeaders() {
		r.outputs = append(r.outputs, output{http.CanonicalHeaderKey(o.GetHeader()), o.GetClaim()})
	}
	return r
}

// bareAudience: http://service/, https://service and service are one (Envoy: sanitizeAudience).
func bareAudience(audience string) string {
	for _, scheme := range []string{"https://", "http://"} {
		if rest, ok := strings.CutPrefix(audience, scheme); ok {
			audience = rest
			break
		}
	}
	return strings.TrimSuffix(audience, "/")
}

func (r *rule) admitsIssuer(t *token) status {
	if r.issuer != "" && r.issuer != t.issuer {
		return unknownIssuer
	}
	return valid
}

func (r *rule) admitsAudience(t *token) status {
	allowed := func(audience string) bool { return slices.Contains(r.audiences, bareAudience(audience)) }
	if len(r.audiences) == 0 || slices.ContainsFunc(t.audiences, allowed) {
		return valid
	}
	return audienceNotAllowed
}

// admitsRest looks at what is forwarded with a good token: lines of its headers in
// which the rule finds no token, or not at the beginning: "bearer x", or "x" alone.
// The handler may mistakenly use them.
func (r *rule) admitsRest(req *Request) status {
	if !r.forward {
		return valid
	}
	for _, p := range r.places {
		for _, line := range p.lines(req) {
			if !r.begins(p.name, line) {
				return badFormat
			}
		}
	}
	return valid
}

// begins reports whether a line of a header begins as one with a token does.
func (r *rule) begins(header, line string) bool {
	for _, p := range r.places {
		if p.kind == inHeader && p.name == header && strings.HasPrefix(line, p.prefix) {
			return true
		}
	}
	return false
}

// written are the headers that only the rule may write: what a caller puts
// there is taken out of every request, with a token or without.
func (r *rule) written() []string {
	var headers []string
	if r.payload != "" {
		headers = append(headers, r.payload)
	}
	for _, o := range r.outputs {
		headers = append(headers, o.header)
	}
	return headers
}

// tell lists the headers that tell the handler what the token says.
func (r *rule) tell(t *token) []Field {
	var fields []Field
	if r.payload != "" {
		fields = append(fields, Field{r.payload, t.payload})
	}
	for _, o := range r.outputs {
		if text := headerText(claimAt(t.claims, o.claim)); text != "" {
			fields = append(fields, Field{o.header, text})
		}
	}
	return fields
}
