package cel

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// A function is what can be called.
type function struct {
	arity  int // with the receiver of a method
	method bool
	both   bool // called either way
	// make makes it for one place in an expression.
	make func() evaluator
}

// An evaluator is a function of values, none of which is an error.
type evaluator func(arguments []Value) Value

func plain(f evaluator) func() evaluator { return func() evaluator { return f } }

var functions = map[string]function{
	"size":       {arity: 1, both: true, make: plain(size)},
	"string":     {arity: 1, make: plain(toString)},
	"int":        {arity: 1, make: plain(toInt)},
	"uint":       {arity: 1, make: plain(toInt)},
	"double":     {arity: 1, make: plain(toDouble)},
	"bool":       {arity: 1, make: plain(toBool)},
	"duration":   {arity: 1, make: plain(toDuration)},
	"startsWith": {arity: 2, method: true, make: plain(ofStrings(strings.HasPrefix))},
	"endsWith":   {arity: 2, method: true, make: plain(ofStrings(strings.HasSuffix))},
	"contains":   {arity: 2, method: true, make: plain(ofStrings(strings.Contains))},
	"matches":    {arity: 2, both: true, method: true, make: matches},
}

// apply calls a function, unless an argument is an error.
func apply(f evaluator, arguments []expr) expr {
	return func(a Attributes) Value {
		values := make([]Value, len(arguments))
		for i, e := range arguments {
			if values[i] = e(a); values[i].failed() {
				return values[i].asError()
			}
		}
		return f(values)
	}
}

func size(v []Value) Value {
	switch v[0].kind {
	case kindString:
		return Int(int64(utf8.RuneCountInString(v[0].text)))
	case kindList:
		return Int(int64(len(v[0].list)))
	}
	return fail("size of %s", v[0].kind)
}

func toString(v []Value) Value {
	if s, ok := v[0].Text(); ok {
		return String(s)
	}
	return fail("string of %s", v[0].kind)
}

func toInt(v []Value) Value {
	switch x := v[0]; x.kind {
	case kindInt:
		return x
	case kindDouble:
		if x.float > -math.MaxInt64 && x.float < math.MaxInt64 {
			return Int(int64(x.float))
		}
	case kindString:
		if n, err := strconv.ParseInt(x.text, 10, 64); err == nil {
			return Int(n)
		}
	}
	return fail("int of %s", v[0].kind)
}

func toDouble(v []Value) Value {
	if f, ok := v[0].double(); ok {
		return Double(f)
	}
	if f, err := strconv.ParseFloat(v[0].text, 64); v[0].kind == kindString && err == nil {
		return Double(f)
	}
	return fail("double of %s", v[0].kind)
}

func toBool(v []Value) Value {
	switch {
	case v[0].kind == kindBool:
		return v[0]
	case v[0].kind == kindString && (v[0].text == "true" || v[0].text == "false"):
		return Bool(v[0].text == "true")
	}
	return fail("bool of %s", v[0].kind)
}

func toDuration(v []Value) Value {
	if d, err := time.ParseDuration(v[0].text); v[0].kind == kindString && err == nil {
		return Duration(d)
	}
	return fail("duration of %s", v[0].kind)
}

func ofStrings(f func(s, t string) bool) evaluator {
	return func(v []Value) Value {
		if v[0].kind != kindString || v[1].kind != kindString {
			return fail("text of %s and %s: want strings", v[0].kind, v[1].kind)
		}
		return Bool(f(v[0].text, v[1].text))
	}
}

// matches remembers the expression that it compiled last, which is written in the
// rule as a rule.
func matches() evaluator {
	var last atomic.Pointer[regexp.Regexp]
	return func(v []Value) Value {
		if v[0].kind != kindString || v[1].kind != kindString {
			return fail("matches of %s and %s: want strings", v[0].kind, v[1].kind)
		}
		re := last.Load()
		if re == nil || re.String() != v[1].text {
			var err error
			if re, err = regexp.Compile(v[1].text); err != nil {
				return fail("matches: %v", err)
			}
			last.Store(re)
		}
		return Bool(re.MatchString(v[0].text))
	}
}
