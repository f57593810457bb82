package jwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

const (
	// maxKeys bounds the keys of one set, and so the signatures that a token
	// without a kid makes us check.
	maxKeys = 100
	// RSA keys outside these bounds, in bits, are not taken: shorter ones are
	// broken (RFC 7518 §3.3 wants 2048), longer ones are a way to burn our time.
	minRSA, maxRSA = 2048, 8192
)

// algorithms are those of Envoy. "none" is not among them.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.ES256, jose.ES384, jose.ES512, jose.HS256, jose.HS384, jose.HS512,
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA,
	}
}

// A keySet is a JWKS (RFC 7517 §5): the keys of an issuer. It is immutable.
type keySet struct{ keys []key }

// A key verifies with its own algorithms, whatever a token's header says.
type key struct {
	id     string
	algs   []jose.SignatureAlgorithm
	public any // *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey or, for HMAC, []byte
}

// parseKeySet reads a JWKS. "Implementations SHOULD ignore JWKs within a JWK
// Set [...] for which values are out of the supported ranges" (RFC 7517 §5); a
// set of which nothing is left is no set.
func parseKeySet(data []byte) (*keySet, status) {
	var set struct{ Keys json.RawMessage }
	if json.Unmarshal(data, &set) != nil {
		return nil, badKeysJSON
	}
	if set.Keys == nil {
		return nil, noKeys
	}
	var list []json.RawMessage
	if json.Unmarshal(set.Keys, &list) != nil {
		return nil, keysNoArray
	}
	if len(list) > maxKeys {
		return nil, tooManyKeys
	}
	keys := parseKeys(list)
	if len(keys) == 0 {
		return nil, noValidKeys
	}
	return &keySet{keys}, valid
}

func parseKeys(list []json.RawMessage) []key {
	keys := make([]key, 0, len(list))
	for _, data := range list {
		if k, ok := parseKey(data); ok {
			keys = append(keys, k)
		}
	}
	return keys
}

func parseKey(data []byte) (key, bool) {
	var jwk jose.JSONWebKey
	public, ok := publicPart(data)
	if !ok || jwk.UnmarshalJSON(public) != nil || jwk.Use != "" && jwk.Use != "sig" {
		return key{}, false
	}
	k := key{id: jwk.KeyID, public: jwk.Key, algs: algorithmsOf(jwk.Key)}
	if jwk.Algorithm != "" {
		k.algs = slices.DeleteFunc(k.algs, func(a jose.SignatureAlgorithm) bool { return string(a) != jwk.Algorithm })
	}
	return k, len(k.algs) > 0
}

// publicPart leaves out what makes a key private (RFC 7518 §6.2.2 and §6.3.2):
// we have no use for it, and it is costly to check.
func publicPart(data []byte) ([]byte, bool) {
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return nil, false
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "priv"} {
		delete(members, private)
	}
	public, err := json.Marshal(members)
	return public, err == nil
}

// algorithmsOf are what a key of this type and size is fit for.
func algorithmsOf(public any) []jose.SignatureAlgorithm {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSA || bits > maxRSA {
			return nil
		}
		return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
	case *ecdsa.PublicKey:
		return algorithmOf(k.Curve)
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	case []byte:
		return algorithmsFor(len(k))
	}
	return nil
}

func algorithmOf(curve elliptic.Curve) []jose.SignatureAlgorithm {
	switch curve {
	case elliptic.P256():
		return []jose.SignatureAlgorithm{jose.ES256}
	case elliptic.P384():
		return []jose.SignatureAlgorithm{jose.ES384}
	case elliptic.P521():
		return []jose.SignatureAlgorithm{jose.ES512}
	}
	return nil
}

// algorithmsFor: "A key of the same size as the hash output [...] or larger
// MUST be used" with HMAC (RFC 7518 §3.2).
func algorithmsFor(secret int) []jose.SignatureAlgorithm {
	var algs []jose.SignatureAlgorithm
	for _, a := range []jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512} {
		if secret >= hmacSize(a) {
			algs = append(algs, a)
		}
	}
	return algs
}

func hmacSize(a jose.SignatureAlgorithm) int {
	switch a {
	case jose.HS256:
		return 32
	case jose.HS384:
		return 48
	}
	return 64
}

// verify holds the token's signature to the keys. Where token and key both have
// a kid, only the same will do; a token without one tries every key (Envoy:
// verifyJwtWithoutTimeChecking).
func (s *keySet) verify(raw string, t *token) status {
	var candidates []key
	for _, k := range s.keys {
		if k.fits(t) {
			candidates = append(candidates, k)
		}
	}
	if len(candidates) == 0 {
		return noMatchingKey
	}
	return verifyWith(candidates, raw, t)
}

func (k key) fits(t *token) bool {
	return (t.kid == "" || k.id == "" || k.id == t.kid) && slices.Contains(k.algs, t.alg)
}

func verifyWith(keys []key, raw string, t *token) status {
	if t.alg == jose.EdDSA && t.signature != ed25519.SignatureSize {
		return badEdLength
	}
	// "If any of the listed extension Header Parameters are not understood and
	// supported by the recipient, then the JWS is invalid" (RFC 7515 §4.1.11); of
	// b64, the one that exists, "JWTs MUST NOT" make use (RFC 7797 §7).
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{t.alg})
	if err != nil || t.critical {
		return verificationFails
	}
	for _, k := range keys {
		if _, err := signed.Verify(k.public); err == nil {
			return valid
		}
	}
	return verificationFails
}
