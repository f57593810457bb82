package discovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// A strictJSON walks a JSON document where encoding/json would be lenient: it
// refuses duplicate keys, fields that nobody asked for and null, and collects
// every fault with its line.
type strictJSON struct {
	text   []byte
	faults []error
}

// A jsonValue is a part of the document and where it begins.
type jsonValue struct {
	raw json.RawMessage
	at  int
}

func (d *strictJSON) fault(at int, format string, args ...any) {
	line := 1 + bytes.Count(d.text[:at], []byte("\n"))
	d.faults = append(d.faults, fmt.Errorf("line %d: "+format, append([]any{line}, args...)...))
}

// document is the whole text as a value; false when it is no JSON at all.
func (d *strictJSON) document() (jsonValue, bool) {
	var raw json.RawMessage
	if err := json.Unmarshal(d.text, &raw); err != nil {
		at := len(d.text)
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			at = int(syntax.Offset)
		}
		d.fault(at, "%w", err)
		return jsonValue{}, false
	}
	return jsonValue{raw, len(d.text) - len(bytes.TrimLeft(d.text, " \t\r\n"))}, true
}

// object calls field for each member of v; what is the name of v in faults.
// field returns false for a name that it does not know.
func (d *strictJSON) object(v jsonValue, what string, field func(name string, v jsonValue) bool) {
	if v.raw[0] != '{' {
		d.fault(v.at, "%s: want an object, got %s", what, v.kind())
		return
	}
	seen := make(map[string]bool)
	dec := v.enter()
	for dec.More() {
		name := d.name(dec)
		at := v.at + int(dec.InputOffset())
		if seen[name] {
			d.fault(at, "%s: field %q stands twice", what, name)
		}
		seen[name] = true
		if !field(name, v.next(dec)) {
			d.fault(at, "%s: unknown field %q", what, name)
		}
	}
}

// array calls element for each element of v.
func (d *strictJSON) array(v jsonValue, what string, element func(i int, v jsonValue)) {
	if v.raw[0] != '[' {
		d.fault(v.at, "%s: want an array, got %s", what, v.kind())
		return
	}
	dec := v.enter()
	for i := 0; dec.More(); i++ {
		element(i, v.next(dec))
	}
}

// scalar decodes v into a string or number and always returns true, so that it
// can end a field function.
func (d *strictJSON) scalar(v jsonValue, what string, into any) bool {
	if string(v.raw) == "null" {
		d.fault(v.at, "%s: want a value, got null", what)
		return true
	}
	if err := json.Unmarshal(v.raw, into); err != nil {
		d.fault(v.at, "%s: want a %s, got %s", what, wanted(into), v.raw)
	}
	return true
}

// name reads the key of an object's next member. The document has been found
// to be well formed, so neither this nor next can fail.
func (d *strictJSON) name(dec *json.Decoder) string {
	token, _ := dec.Token()
	name, _ := token.(string)
	return name
}

// enter returns a decoder that has read the bracket that opens v.
func (v jsonValue) enter() *json.Decoder {
	dec := json.NewDecoder(bytes.NewReader(v.raw))
	dec.Token()
	return dec
}

// next reads the next value inside v.
func (v jsonValue) next(dec *json.Decoder) jsonValue {
	var raw json.RawMessage
	_ = dec.Decode(&raw)
	return jsonValue{raw, v.at + int(dec.InputOffset()) - len(raw)}
}

func (v jsonValue) kind() string {
	switch v.raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return string(v.raw)
}

func wanted(into any) string {
	if _, ok := into.(*uint32); ok {
		return "whole number from 0 to 4294967295"
	}
	return "string"
}
