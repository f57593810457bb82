package cel

import (
	"math"
	"math/bits"
	"slices"
)

func add(l, r Value) Value {
	switch {
	case l.kind == kindString && r.kind == kindString:
		return String(l.text + r.text)
	case l.kind == kindList && r.kind == kindList:
		return Value{kind: kindList, list: slices.Concat(l.list, r.list)}
	case l.kind == kindDuration && r.kind == kindDuration:
		return asDuration(add(Int(l.number), Int(r.number)))
	}
	return numbers("+", l, r, func(x, y float64) float64 { return x + y }, func(x, y int64) (int64, bool) {
		z := x + y
		return z, (z > x) == (y > 0)
	})
}

func subtract(l, r Value) Value {
	if l.kind == kindDuration && r.kind == kindDuration {
		return asDuration(subtract(Int(l.number), Int(r.number)))
	}
	return numbers("-", l, r, func(x, y float64) float64 { return x - y }, func(x, y int64) (int64, bool) {
		z := x - y
		return z, (z < x) == (y > 0)
	})
}

// asDuration is a number of nanoseconds, unless it has no result.
func asDuration(v Value) Value {
	if v.kind == kindInt {
		v.kind = kindDuration
	}
	return v
}

func multiply(l, r Value) Value {
	return numbers("*", l, r, func(x, y float64) float64 { return x * y }, func(x, y int64) (int64, bool) {
		hi, lo := bits.Mul64(magnitude(x), magnitude(y))
		return x * y, hi == 0 && (lo <= math.MaxInt64 || lo == 1<<63 && (x < 0) != (y < 0))
	})
}

func magnitude(x int64) uint64 {
	if x < 0 {
		return -uint64(x)
	}
	return uint64(x)
}

func divide(l, r Value) Value {
	return numbers("/", l, r, func(x, y float64) float64 { return x / y }, func(x, y int64) (int64, bool) {
		if y == 0 || x == math.MinInt64 && y == -1 {
			return 0, false
		}
		return x / y, true
	})
}

func modulo(l, r Value) Value {
	return numbers("%", l, r, nil, func(x, y int64) (int64, bool) {
		if y == 0 || x == math.MinInt64 && y == -1 {
			return 0, false
		}
		return x % y, true
	})
}

// numbers computes with ints, where what has no result in 64 bits is an error, or
// with doubles. With one of each CEL does not.
func numbers(op string, l, r Value, doubles func(x, y float64) float64, ints func(x, y int64) (int64, bool)) Value {
	switch {
	case l.kind == kindDouble && r.kind == kindDouble && doubles != nil:
		return Double(doubles(l.float, r.float))
	case l.kind != kindInt || r.kind != kindInt:
		return fail("%s of %s and %s", op, l.kind, r.kind)
	}
	n, ok := ints(l.number, r.number)
	if !ok {
		return fail("%d %s %d has no result", l.number, op, r.number)
	}
	return Int(n)
}
