package rules

import (
	"encoding/json"
	"strconv"
)

// A shape is what a node is in JSON's terms.
type shape uint8

const (
	null shape = iota
	boolean
	number
	text
	sequence
	mapping
)

// String names the shape with its article, as messages need it.
func (s shape) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "a list", "a mapping"}[s]
}

// A node is one value of a document: what YAML and JSON have in common, with
// aliases and merge keys expanded.
type node struct {
	shape  shape
	line   int
	text   string // as written; for a string its value
	json   string // of a boolean or a number: how JSON writes it
	items  []node
	fields []field
}

// A field is one entry of a mapping.
type field struct {
	key     node
	value   node
	leftOut bool // it cannot be decoded, and has been reported
}

// name is the field's key as JSON has it.
func (f *field) name() string {
	if f.key.shape == text {
		return f.key.text
	}
	return f.key.json
}

// get returns the value of the first field called name, or nil.
func (n *node) get(name string) *node {
	for i := range n.fields {
		if n.fields[i].name() == name {
			return &n.fields[i].value
		}
	}
	return nil
}

// appendJSON appends n as the JSON that Istio's own reader makes of it.
func (n *node) appendJSON(b []byte) []byte {
	switch n.shape {
	case boolean, number:
		return append(b, n.json...)
	case text:
		return appendString(b, n.text)
	case sequence:
		return n.appendList(b)
	case mapping:
		return n.appendObject(b)
	}
	return append(b, "null"...)
}

func (n *node) appendList(b []byte) []byte {
	b = append(b, '[')
	for i := range n.items {
		if i > 0 {
			b = append(b, ',')
		}
		b = n.items[i].appendJSON(b)
	}
	return append(b, ']')
}

func (n *node) appendObject(b []byte) []byte {
	b = append(b, '{')
	first := len(b)
	for i := range n.fields {
		if n.fields[i].leftOut {
			continue
		}
		if len(b) > first {
			b = append(b, ',')
		}
		b = appendString(b, n.fields[i].name())
		b = n.fields[i].value.appendJSON(append(b, ':'))
	}
	return append(b, '}')
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	return strconv.AppendQuote(b, s)
}

// shown is the node as a message quotes it: short, whatever the file holds.
func (n *node) shown() string {
	switch n.shape {
	case text:
		return strconv.Quote(clip(n.text, 60))
	case boolean, number:
		return clip(n.text, 60)
	}
	return n.shape.String()
}

// clip cuts s to about limit bytes, whole runes.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for i := range s {
		if i >= limit {
			return s[:i] + "…"
		}
	}
	return s
}
