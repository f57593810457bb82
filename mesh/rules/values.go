package rules

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// wanted names what a field takes, for messages.
func wanted(fd protoreflect.FieldDescriptor) string {
	switch fd.Kind() {
	case protoreflect.MessageKind:
		return fmt.Sprintf("a mapping (%s)", fd.Message().Name())
	case protoreflect.BoolKind:
		return "true or false"
	case protoreflect.StringKind:
		return "a string"
	case protoreflect.BytesKind:
		return "base64 text"
	case protoreflect.EnumKind:
		return "one of " + enumNames(fd.Enum())
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		return "a number"
	}
	return "a whole number"
}

func (w walker) scalar(path string, n *node, fd protoreflect.FieldDescriptor) {
	switch fd.Kind() {
	case protoreflect.StringKind:
		w.text(path, n)
	case protoreflect.BytesKind:
		w.base64(path, n)
	case protoreflect.BoolKind:
		w.boolean(path, n)
	case protoreflect.EnumKind:
		w.enum(path, n, fd.Enum())
	case protoreflect.FloatKind:
		w.float(path, n, 32)
	case protoreflect.DoubleKind:
		w.float(path, n, 64)
	default:
		w.integer(path, n, fd)
	}
}

// text reports unquoted words that YAML reads as a boolean, a number or null.
func (w walker) text(path string, n *node) {
	switch n.shape {
	case text:
	case null:
		w.bad(n.line, path, "want a string, got null: write a value, or \"\", or quote it if %q is meant", "~")
	case boolean, number:
		w.bad(n.line, path, "want a string, but unquoted %s is %s%s: quote it, %q",
			clip(n.text, 60), n.shape, reading(n), clip(n.text, 60))
	default:
		w.bad(n.line, path, "want a string, got %s", n.shape)
	}
}

// reading shows what a plain scalar means where it is not what it looks like.
func reading(n *node) string {
	if n.literal() {
		return ""
	}
	return " (" + clip(n.json, 60) + ")"
}

func (w walker) base64(path string, n *node) {
	if n.shape != text {
		w.text(path, n)
		return
	}
	if _, err := base64.StdEncoding.DecodeString(n.text); err != nil {
		w.bad(n.line, path, "want base64 text: %v", err)
	}
}

func (w walker) boolean(path string, n *node) {
	if n.shape != boolean {
		w.bad(n.line, path, "want true or false, got %s", n.shown())
	}
}

func enumNames(ed protoreflect.EnumDescriptor) string {
	return strings.Join(valueNames(ed), ", ")
}

func valueNames(ed protoreflect.EnumDescriptor) []string {
	var names []string
	for i := range ed.Values().Len() {
		names = append(names, string(ed.Values().Get(i).Name()))
	}
	return names
}

// enum accepts names and, as Istio does, numbers.
func (w walker) enum(path string, n *node, ed protoreflect.EnumDescriptor) {
	switch n.shape {
	case text:
		if ed.Values().ByName(protoreflect.Name(n.text)) == nil {
			w.bad(n.line, path, "unknown value %s: want one of %s%s",
				n.shown(), enumNames(ed), didYouMean(n.text, valueNames(ed)))
		}
	case number:
		i, err := strconv.ParseInt(n.json, 10, 32)
		if err != nil || ed.Values().ByNumber(protoreflect.EnumNumber(i)) == nil {
			w.bad(n.line, path, "unknown value %s: want one of %s", n.shown(), enumNames(ed))
		}
	default:
		w.bad(n.line, path, "want one of %s, got %s", enumNames(ed), n.shown())
	}
}

// numberText is the JSON number that n holds. Numbers may be quoted: Istio's
// decoder takes them so, because JSON cannot hold 64 bits.
func numberText(n *node) (string, bool) {
	var js json.Number
	switch {
	case n.shape == number:
		js = json.Number(n.json)
	case n.shape != text || json.Unmarshal([]byte(n.text), &js) != nil || n.text != js.String():
		return "", false
	}
	_, err := js.Float64()
	return js.String(), err == nil && json.Valid([]byte(js))
}

func (w walker) float(path string, n *node, bits int) {
	s, ok := numberText(n)
	if !ok {
		w.bad(n.line, path, "want a number, got %s", n.shown())
		return
	}
	if _, err := strconv.ParseFloat(s, bits); err != nil {
		w.bad(n.line, path, "%s is out of the range of a %d-bit number", n.shown(), bits)
	}
}

func (w walker) integer(path string, n *node, fd protoreflect.FieldDescriptor) {
	s, ok := numberText(n)
	if !ok || n.shape == text && !w.quoted {
		w.bad(n.line, path, "want a whole number, got %s", n.shown())
		return
	}
	if lowest, highest, ok := fits(s, fd.Kind()); !ok {
		w.bad(n.line, path, "want a whole number from %d to %d, got %s", lowest, highest, n.shown())
		return
	}
	if !n.literal() && n.shape == number {
		w.warn(path, "unquoted %s is the number %s", clip(n.text, 60), clip(n.json, 60))
	}
}

// fits says whether s is an integer of the kind, whose bounds it names.
func fits(s string, kind protoreflect.Kind) (lowest int64, highest uint64, ok bool) {
	switch kind {
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		_, err := strconv.ParseUint(s, 10, 32)
		return 0, math.MaxUint32, err == nil
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		_, err := strconv.ParseUint(s, 10, 64)
		return 0, math.MaxUint64, err == nil
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		_, err := strconv.ParseInt(s, 10, 64)
		return math.MinInt64, math.MaxInt64, err == nil
	}
	_, err := strconv.ParseInt(s, 10, 32)
	return math.MinInt32, math.MaxInt32, err == nil
}

// wellKnown returns the check of a message that JSON does not write as a mapping.
func wellKnown(name protoreflect.FullName) func(w walker, path string, n *node, md protoreflect.MessageDescriptor) {
	switch name {
	case "google.protobuf.Duration":
		return walker.duration
	case "google.protobuf.Timestamp":
		return walker.timestamp
	case "google.protobuf.BoolValue", "google.protobuf.StringValue", "google.protobuf.BytesValue",
		"google.protobuf.Int32Value", "google.protobuf.UInt32Value", "google.protobuf.Int64Value",
		"google.protobuf.UInt64Value", "google.protobuf.FloatValue", "google.protobuf.DoubleValue":
		return walker.wrapped
	}
	return nil
}

// duration reads as Istio does: time.ParseDuration, no days, no bare numbers.
func (w walker) duration(path string, n *node, _ protoreflect.MessageDescriptor) {
	const syntax = "a duration such as 1m30s or 100ms, of h, m, s, ms, us and ns"
	if n.shape != text {
		w.bad(n.line, path, "want %s, got %s", syntax, n.shown())
		return
	}
	if _, err := time.ParseDuration(n.text); err != nil {
		w.bad(n.line, path, "bad duration %s: want %s", n.shown(), syntax)
	}
}

func (w walker) timestamp(path string, n *node, _ protoreflect.MessageDescriptor) {
	if n.shape != text {
		w.text(path, n)
		return
	}
	if _, err := time.Parse(time.RFC3339Nano, n.text); err != nil {
		w.bad(n.line, path, "bad time %s: want RFC 3339, such as 2006-01-02T15:04:05Z", n.shown())
	}
}

// wrapped checks the plain value that stands for a wrapper message.
func (w walker) wrapped(path string, n *node, md protoreflect.MessageDescriptor) {
	w.scalar(path, n, md.Fields().ByNumber(1))
}
