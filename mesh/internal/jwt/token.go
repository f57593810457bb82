package jwt

import (
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// maxToken bounds a token's length in bytes.
	maxToken = 16 << 10
	// skew is how far the clocks of issuer and server may be apart (Envoy: kClockSkewInSecond).
	skew = 60
)

// A token is what a JWT says, none of it to be believed before a keySet has
// verified it. It is immutable.
type token struct {
	alg       jose.SignatureAlgorithm
	kid       string
	critical  bool   // the header has extensions that must be understood
	payload   string // as it came, in base64url
	signature int    // its length in bytes
	claims    map[string]any

	issuer, subject string
	audiences       []string
	notBefore       uint64 // in seconds since 1970, 0: not said
	expires         uint64 // in seconds since 1970, 0: never
}

// parse reads a JWT in the compact serialization of RFC 7515 §7.1.
func parse(raw string) (*token, status) {
	parts := strings.Split(raw, ".")
	if len(raw) > maxToken || len(parts) != 3 || slices.Contains(parts, "") {
		return nil, badFormat
	}
	t := &token{payload: parts[1]}
	if s := t.readHeader(parts[0]); s != valid {
		return nil, s
	}
	if s := t.readPayload(parts[1]); s != valid {
		return nil, s
	}
	signature, ok := decode(parts[2])
	if !ok {
		return nil, badSignature
	}
	t.signature = len(signature)
	return t, valid
}

func (t *token) readHeader(part string) status {
	b, ok := decode(part)
	if !ok {
		return badHeaderBase64
	}
	header, ok := decodeJSON(b)
	if !ok {
		return badHeaderJSON
	}
	alg, ok := header["alg"].(string)
	if !ok {
		return badAlg
	}
	if t.alg = jose.SignatureAlgorithm(alg); !slices.Contains(algorithms(), t.alg) {
		return unsupportedAlg
	}
	if t.kid, ok = optional[string](header, "kid"); !ok {
		return badKid
	}
	t.critical = has(header, "crit") || has(header, "b64")
	return valid
}

func (t *token) readPayload(part string) status {
	b, ok := decode(part)
	if !ok {
		return badPayloadBase64
	}
	if t.claims, ok = decodeJSON(b); !ok {
		return badPayloadJSON
	}
	if s := t.readNames(); s != valid {
		return s
	}
	if s := t.readTimes(); s != valid {
		return s
	}
	aud, found := t.claims["aud"]
	if t.audiences, ok = stringList(aud); found && !ok {
		return badAudience
	}
	return valid
}

func (t *token) readNames() status {
	var id string
	for _, claim := range []struct {
		name string
		into *string
	}{{"iss", &t.issuer}, {"sub", &t.subject}, {"jti", &id}} {
		var ok bool
		if *claim.into, ok = optional[string](t.claims, claim.name); !ok {
			return notString(claim.name)
		}
	}
	return valid
}

func (t *token) readTimes() status {
	var issued uint64
	for _, claim := range []struct {
		name string
		into *uint64
	}{{"iat", &issued}, {"nbf", &t.notBefore}, {"exp", &t.expires}} {
		var s status
		if *claim.into, s = seconds(t.claims, claim.name); s != valid {
			return s
		}
	}
	return valid
}

// at says whether the token is in force: "the processing of the exp claim
// requires that the current date/time MUST be before the expiration [...]
// Implementers MAY provide for some small leeway" (RFC 7519 §4.1.4).
func (t *token) at(now time.Time) status {
	unix := uint64(max(now.Unix(), 0))
	if t.notBefore > unix+skew {
		return notYetValid
	}
	if t.expires != 0 && unix > skew && unix-skew > t.expires {
		return expired
	}
	return valid
}
