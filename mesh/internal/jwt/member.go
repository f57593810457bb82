package jwt

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"
)

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
