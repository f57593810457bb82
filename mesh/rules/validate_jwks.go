package rules

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// A jsonKey is what every JSON Web Key has, and the members of the types that
// Istio takes (RFC 7518, section 6).
type jsonKey struct {
	Kty           string
	N, E, X, Y, K *string // base64url
	Crv           *string
	D             *string // of a private key
}

// validateKeySet checks a JSON Web Key Set, or a single key, RFC 7517. Its
// messages name the place and never the value: there may be private keys.
func validateKeySet(c *checker, path, text string) {
	keys, err := keysIn(text)
	if err != nil {
		c.invalid(path, "%v", err)
		return
	}
	for i, text := range keys {
		var key jsonKey
		if json.Unmarshal(text, &key) != nil {
			c.invalid(path, "key %d: want an object whose members are strings", i)
		} else if lack := key.lack(); lack != "" {
			c.invalid(path, "key %d: %s", i, lack)
		}
		if key.D != nil {
			c.warn(path, "key %d is a private key: want its public half here, and the private one replaced, since it is out", i)
		}
	}
}

func keysIn(text string) ([]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &members) != nil {
		return nil, fmt.Errorf("want a JSON Web Key Set, an object as JSON text")
	}
	set, ok := members["keys"]
	if !ok {
		return []json.RawMessage{json.RawMessage(text)}, nil
	}
	var keys []json.RawMessage
	if json.Unmarshal(set, &keys) != nil {
		return nil, fmt.Errorf("keys: want a list of JSON Web Keys")
	}
	return keys, nil
}

// lack names what the key lacks; "" for nothing.
func (k *jsonKey) lack() string {
	needed := map[string]map[string]*string{
		"RSA": {"n": k.N, "e": k.E},
		"EC":  {"x": k.X, "y": k.Y},
		"OKP": {"x": k.X},
		"oct": {"k": k.K},
	}[k.Kty]
	if needed == nil {
		return "kty: want RSA, EC, OKP or oct"
	}
	for name, value := range sorted(needed) {
		if value == nil || *value == "" || !isBase64URL(*value) {
			return fmt.Sprintf("%s: want base64url text", name)
		}
	}
	if (k.Kty == "EC" || k.Kty == "OKP") && (k.Crv == nil || *k.Crv == "") {
		return "crv: want the name of a curve"
	}
	return ""
}

func isBase64URL(s string) bool {
	_, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil
}
