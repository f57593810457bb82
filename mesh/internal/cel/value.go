package cel

import (
	"fmt"
	"strconv"
	"time"
)

// A Value is what an expression comes to: one of the kinds, or an error.
type Value struct {
	kind   kind
	text   string
	number int64 // also of a bool and of a duration
	float  float64
	list   []Value
	lookup Map
	err    error
}

type kind uint8

const (
	kindAbsent kind = iota // of an attribute that there is not
	kindError
	kindNull
	kindBool
	kindInt
	kindDouble
	kindString
	kindDuration
	kindList
	kindMap
)

var kindNames = [...]string{"absent", "error", "null", "bool", "int", "double", "string", "duration", "list", "map"}

func (k kind) String() string { return kindNames[k] }

// A Map is an attribute with keys.
type Map interface {
	Lookup(key string) (value string, ok bool)
}

// String makes a string.
func String(s string) Value { return Value{kind: kindString, text: s} }

// Int makes an int.
func Int(n int64) Value { return Value{kind: kindInt, number: n} }

// Double makes a double.
func Double(f float64) Value { return Value{kind: kindDouble, float: f} }

// Bool makes a bool.
func Bool(b bool) Value {
	v := Value{kind: kindBool}
	if b {
		v.number = 1
	}
	return v
}

// Duration makes a duration.
func Duration(d time.Duration) Value { return Value{kind: kindDuration, number: int64(d)} }

// Of makes a map of strings.
func Of(m Map) Value { return Value{kind: kindMap, lookup: m} }

// Absent is an attribute that the request does not have: an error, except to has.
func Absent() Value { return Value{} }

func fail(format string, args ...any) Value {
	return Value{kind: kindError, err: fmt.Errorf("cel: "+format, args...)}
}

// IsTrue reports the bool true.
func (v Value) IsTrue() bool { return v.kind == kindBool && v.number == 1 }

// Err is why there is no value; nil if there is one.
func (v Value) Err() error {
	if v.kind == kindAbsent {
		return fmt.Errorf("cel: no such attribute")
	}
	return v.err
}

func (v Value) failed() bool { return v.kind <= kindError }

// Text is the value as a string, and whether it has such a form: maps, lists and
// errors do not.
func (v Value) Text() (string, bool) {
	switch v.kind {
	case kindString:
		return v.text, true
	case kindInt:
		return strconv.FormatInt(v.number, 10), true
	case kindDouble:
		return strconv.FormatFloat(v.float, 'g', -1, 64), true
	case kindBool:
		return strconv.FormatBool(v.number == 1), true
	case kindDuration:
		return strconv.FormatFloat(time.Duration(v.number).Seconds(), 'f', -1, 64) + "s", true
	}
	return "", false
}

// equal: values of different kinds are not equal, numbers apart.
func (v Value) equal(w Value) bool {
	if f, g, ok := floats(v, w); ok {
		return f == g
	}
	if v.kind != w.kind || len(v.list) != len(w.list) {
		return false
	}
	for i := range v.list {
		if !v.list[i].equal(w.list[i]) {
			return false
		}
	}
	return v.text == w.text && v.number == w.number && v.float == w.float
}

// floats is two numbers of which at least one is a double.
func floats(v, w Value) (f, g float64, ok bool) {
	if v.kind != kindDouble && w.kind != kindDouble {
		return 0, 0, false
	}
	f, ok1 := v.double()
	g, ok2 := w.double()
	return f, g, ok1 && ok2
}

func (v Value) double() (float64, bool) {
	switch v.kind {
	case kindDouble:
		return v.float, true
	case kindInt:
		return float64(v.number), true
	}
	return 0, false
}
