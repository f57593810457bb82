package rules

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
)

// keyMembers are what a JSON Web Key of each type must have (RFC 7518, section
// 6), as base64url text. Nobody writes to it.
var keyMembers = map[string][]string{"RSA": {"n", "e"}, "EC": {"x", "y"}, "OKP": {"x"}, "oct": {"k"}}

// A jsonKey is a JSON Web Key, by its members: their names are exact, which
// those of a Go struct are not to encoding/json.
type jsonKey map[string]json.RawMessage

// validateKeySet checks a JSON Web Key Set, or a single key, RFC 7517. Its
// messages name the place and never the value: there may be private keys.
func validateKeySet(c *checker, path, text string) {
	keys, err := keysIn(text)
	if err != nil {
		c.invalid(path, "%v", err)
		return
	}
	for i, key := range keys {
		if lack := key.lack(); lack != "" {
			c.invalid(path, "key %d: %s", i, lack)
		}
		if _, private := key["d"]; private {
			c.warn(path, "key %d is a private key: want its public half here, and the private one replaced, since it is out", i)
		}
	}
}

func keysIn(text string) ([]jsonKey, error) {
	var single jsonKey
	if json.Unmarshal([]byte(text), &single) != nil || single == nil {
		return nil, errors.New("want a JSON Web Key Set, an object as JSON text")
	}
	set, ok := single["keys"]
	if !ok {
		return []jsonKey{single}, nil
	}
	var keys []jsonKey
	if json.Unmarshal(set, &keys) != nil {
		return nil, errors.New("keys: want a list of JSON Web Keys, which are objects")
	}
	return keys, nil
}

// lack names what the key lacks; "" for nothing.
func (k jsonKey) lack() string {
	kty := k.text("kty")
	members, ok := keyMembers[kty]
	if !ok {
		return "kty: want RSA, EC, OKP or oct"
	}
	for _, name := range members {
		if value := k.text(name); value == "" || !isBase64URL(value) {
			return fmt.Sprintf("%s: want base64url text", name)
		}
	}
	if (kty == "EC" || kty == "OKP") && k.text("crv") == "" {
		return "crv: want the name of a curve"
	}
	return ""
}

// text is the member of this name, "" if it is no string.
func (k jsonKey) text(name string) (s string) {
	_ = json.Unmarshal(k[name], &s)
	return s
}

func isBase64URL(s string) bool {
	_, err := base64.RawURLEncoding.DecodeString(s)
	return err == nil
}
