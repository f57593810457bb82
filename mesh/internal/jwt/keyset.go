package jwt

import (
	"crypto/ed25519"
	"encoding/json"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// maxKeys bounds the keys of one set, and so the signatures that a token without
// a kid makes us check.
const maxKeys = 100

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
	list, s := listKeys(data)
	if s != valid {
		return nil, s
	}
	keys := parseKeys(list)
	if len(keys) == 0 {
		return nil, noValidKeys
	}
	return &keySet{keys}, valid
}

func listKeys(data []byte) ([]json.RawMessage, status) {
	var set map[string]json.RawMessage
	if json.Unmarshal(data, &set) != nil {
		return nil, badKeysJSON
	}
	keys, found := set["keys"]
	if !found {
		return nil, noKeys
	}
	var list []json.RawMessage
	if json.Unmarshal(keys, &list) != nil || list == nil {
		return nil, keysNoArray
	}
	if len(list) > maxKeys {
		return nil, tooManyKeys
	}
	return list, valid
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
	// supported by the recipient, then the JWS is invalid" (RFC 7515 §4.1.11); as
	// for b64, "JWTs MUST NOT use the unencoded payload option" (RFC 7797).
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
