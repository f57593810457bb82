package jwt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

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

// decode is strict, so that a token has one spelling: encoding/base64 would pass
// over line breaks.
func decode(part string) ([]byte, bool) {
	if strings.ContainsAny(part, "\r\n") {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(part)
	return b, err == nil
}

// decodeJSON reads one object and nothing else. Numbers stay as written.
func decodeJSON(b []byte) (map[string]any, bool) {
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if !utf8.Valid(b) || d.Decode(&object) != nil || object == nil {
		return nil, false
	}
	_, err := d.Token()
	return object, err == io.EOF
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

// seconds reads a NumericDate (RFC 7519 §2), which may have a fraction.
func seconds(claims map[string]any, name string) (uint64, status) {
	number, ok := optional[json.Number](claims, name)
	if !ok {
		return 0, notInteger(name)
	}
	if number == "" {
		return 0, valid
	}
	f, err := number.Float64()
	if err != nil || f < 0 || f >= 1<<64 {
		return 0, outOfRange(name)
	}
	return uint64(f), valid
}

func has(object map[string]any, name string) bool {
	_, found := object[name]
	return found
}

// optional is the member of that name, or the zero value where there is none;
// not ok where it has another type.
func optional[T any](object map[string]any, name string) (value T, ok bool) {
	member, found := object[name]
	if !found {
		return value, true
	}
	value, ok = member.(T)
	return value, ok
}

func stringList(value any) ([]string, bool) {
	switch v := value.(type) {
	case string:
		return []string{v}, true
	case []any:
		return allStrings(v)
	}
	return nil, false
}

func allStrings(list []any) ([]string, bool) {
	texts := make([]string, 0, len(list))
	for _, v := range list {
		text, ok := v.(string)
		if !ok {
			return nil, false
		}
		texts = append(texts, text)
	}
	return texts, true
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
