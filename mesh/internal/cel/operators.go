package cel

import "strings"

// operators make an expression of two.
var operators = map[string]func(l, r expr) expr{
	"||": func(l, r expr) expr { return logic(l, r, true) },
	"&&": func(l, r expr) expr { return logic(l, r, false) },
	"==": strict(func(l, r Value) Value { return Bool(l.equal(r)) }),
	"!=": strict(func(l, r Value) Value { return Bool(!l.equal(r)) }),
	"<":  ordered(func(c int) bool { return c < 0 }),
	"<=": ordered(func(c int) bool { return c <= 0 }),
	">":  ordered(func(c int) bool { return c > 0 }),
	">=": ordered(func(c int) bool { return c >= 0 }),
	"in": strict(contains),
	"+":  strict(add),
	"-":  strict(subtract),
	"*":  strict(multiply),
	"/":  strict(divide),
	"%":  strict(modulo),
}

func constant(v Value) expr { return func(Attributes) Value { return v } }

// strict evaluates both sides; an error of either is the result's.
func strict(f func(l, r Value) Value) func(l, r expr) expr {
	return func(l, r expr) expr {
		return func(a Attributes) Value {
			x, y := l(a), r(a)
			if x.failed() {
				return x.asError()
			}
			if y.failed() {
				return y.asError()
			}
			return f(x, y)
		}
	}
}

// asError makes an absent attribute, which has may ask for, an error for good.
func (v Value) asError() Value {
	if v.kind == kindAbsent {
		return Value{kind: kindError, err: v.Err()}
	}
	return v
}

// logic: one side that decides is enough, "even if the other side is an error".
func logic(l, r expr, decides bool) expr {
	return func(a Attributes) Value {
		x := l(a)
		if x.kind == kindBool && x.IsTrue() == decides {
			return x
		}
		y := r(a)
		switch {
		case y.kind == kindBool && y.IsTrue() == decides:
			return y
		case x.failed():
			return x.asError()
		case y.failed():
			return y.asError()
		case x.kind != kindBool || y.kind != kindBool:
			return fail("logic of %s and %s: want bools", x.kind, y.kind)
		}
		return x
	}
}

func choose(cond, yes, no expr) expr {
	return func(a Attributes) Value {
		c := cond(a)
		switch {
		case c.failed():
			return c.asError()
		case c.kind != kindBool:
			return fail("%s before the question mark: want a bool", c.kind)
		case c.IsTrue():
			return yes(a)
		}
		return no(a)
	}
}

func not(e expr) expr {
	return func(a Attributes) Value {
		v := e(a)
		switch {
		case v.failed():
			return v.asError()
		case v.kind != kindBool:
			return fail("! of %s: want a bool", v.kind)
		}
		return Bool(!v.IsTrue())
	}
}

func negate(e expr) expr {
	return func(a Attributes) Value {
		switch v := e(a); v.kind {
		case kindInt:
			return subtract(Int(0), v)
		case kindDouble:
			return Double(-v.float)
		case kindAbsent, kindError:
			return v.asError()
		default:
			return fail("- of %s: want a number", v.kind)
		}
	}
}

func list(elements []expr) expr {
	return func(a Attributes) Value {
		v := Value{kind: kindList}
		for _, e := range elements {
			x := e(a)
			if x.failed() {
				return x.asError()
			}
			v.list = append(v.list, x)
		}
		return v
	}
}

// index: what is not in a map is absent, which has can tell.
func index(of, key expr) expr {
	return func(a Attributes) Value {
		m, k := of(a), key(a)
		switch {
		case m.failed():
			return m
		case k.failed():
			return k.asError()
		case m.kind == kindMap && k.kind == kindString:
			if s, ok := m.lookup.Lookup(k.text); ok {
				return String(s)
			}
			return Absent()
		case m.kind == kindList && k.kind == kindInt && k.number >= 0 && k.number < int64(len(m.list)):
			return m.list[k.number]
		}
		return fail("no element of %s by this %s", m.kind, k.kind)
	}
}

func contains(v, in Value) Value {
	switch {
	case in.kind == kindList:
		for _, e := range in.list {
			if e.equal(v) {
				return Bool(true)
			}
		}
		return Bool(false)
	case in.kind == kindMap && v.kind == kindString:
		_, ok := in.lookup.Lookup(v.text)
		return Bool(ok)
	}
	return fail("%s in %s: want a list or a map", v.kind, in.kind)
}

func ordered(ok func(c int) bool) func(l, r expr) expr {
	return strict(func(l, r Value) Value {
		if f, g, mixed := floats(l, r); mixed {
			if f != f || g != g { // NaN is neither above nor below
				return Bool(false)
			}
			return Bool(ok(compare(f, g)))
		}
		if l.kind != r.kind {
			return fail("%s compared with %s", l.kind, r.kind)
		}
		switch l.kind {
		case kindInt, kindDuration, kindBool:
			return Bool(ok(compare(l.number, r.number)))
		case kindString:
			return Bool(ok(strings.Compare(l.text, r.text)))
		}
		return fail("%s has no order", l.kind)
	})
}

func compare[N int64 | float64](x, y N) int {
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}
