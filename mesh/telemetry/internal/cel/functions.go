package cel

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A function is what can be called.
type function struct {
	arity  int // with the receiver of a method
	method bool
	both   bool // called either way
	eval   func(arguments []Value) Value
}

var functions = map[string]function{
	"size":       {arity: 1, both: true, eval: size},
	"string":     {arity: 1, eval: toString},
	"int":        {arity: 1, eval: toInt},
	"uint":       {arity: 1, eval: toInt},
	"double":     {arity: 1, eval: toDouble},
	"bool":       {arity: 1, eval: toBool},
	"duration":   {arity: 1, eval: toDuration},
	"startsWith": {arity: 2, method: true, eval: ofStrings(strings.HasPrefix)},
	"endsWith":   {arity: 2, method: true, eval: ofStrings(strings.HasSuffix)},
	"contains":   {arity: 2, method: true, eval: ofStrings(strings.Contains)},
	"matches":    {arity: 2, both: true, method: true, eval: matches},
}

// apply calls a function of values, none of which is an error.
func apply(f func([]Value) Value, arguments []expr) expr {
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

func ofStrings(f func(s, t string) bool) func([]Value) Value {
	return func(v []Value) Value {
		if v[0].kind != kindString || v[1].kind != kindString {
			return fail("text of %s and %s: want strings", v[0].kind, v[1].kind)
		}
		return Bool(f(v[0].text, v[1].text))
	}
}

// matches compiles its expression anew each time, which is for those who match
// by it: RE2 takes time linear in both.
func matches(v []Value) Value {
	if v[0].kind != kindString || v[1].kind != kindString {
		return fail("matches of %s and %s: want strings", v[0].kind, v[1].kind)
	}
	re, err := regexp.Compile(v[1].text)
	if err != nil {
		return fail("matches: %v", err)
	}
	return Bool(re.MatchString(v[0].text))
}
