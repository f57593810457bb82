package plan

import (
	"maps"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// HeaderOps are header changes in the order in which they are made.
type HeaderOps []headerOp

type headerOp struct {
	kind  opKind
	last  bool // of the route, whose operations follow those of one destination of several
	asks  bool // that the value depends on a message
	name  headerName
	value template
}

type opKind uint8

const (
	remove opKind = iota
	set
	add
)

// mergeOps orders the operations of a route and of one of its destinations.
//
// A route with one destination runs both levels as one list: all removes, then
// all sets (the destination's last, so that it wins), then all adds. With
// several, the destination's own run first and the route's after them, so that
// the route wins.
func mergeOps(single bool, route, destination *networking.Headers_HeaderOperations) HeaderOps {
	if single {
		return slices.Concat(removes(route), removes(destination), sets(route), sets(destination), adds(route), adds(destination))
	}
	then := slices.Concat(removes(route), sets(route), adds(route))
	for i := range then {
		then[i].last = true
	}
	return slices.Concat(removes(destination), sets(destination), adds(destination), then)
}

func removes(ops *networking.Headers_HeaderOperations) (out HeaderOps) {
	for _, name := range ops.GetRemove() {
		out = append(out, headerOp{kind: remove, name: newHeaderName(name)})
	}
	return out
}

func sets(ops *networking.Headers_HeaderOperations) HeaderOps { return writes(set, ops.GetSet()) }
func adds(ops *networking.Headers_HeaderOperations) HeaderOps { return writes(add, ops.GetAdd()) }

// writes skips the authority: writing it is a rewrite of the host.
func writes(kind opKind, values map[string]string) (out HeaderOps) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !isAuthority(name) {
			value := compileTemplate(values[name])
			out = append(out, headerOp{kind: kind, name: newHeaderName(name), value: value, asks: value.asks()})
		}
	}
	return out
}

func isAuthority(name string) bool {
	return strings.EqualFold(name, "host") || strings.EqualFold(name, ":authority")
}

// Asks says that some value depends on a message.
func (ops HeaderOps) Asks() bool {
	return slices.ContainsFunc(ops, func(op headerOp) bool { return op.asks })
}

// ApplyToRequest makes the changes to the headers of a request, h.
func (ops HeaderOps) ApplyToRequest(h map[string][]string, v Values) {
	ops.apply(h, v, func() Values {
		request := *v.Request
		request.Header, v.Request = h, &request
		return v
	})
}

// ApplyToResponse makes them to those of a response. Its request is v's as it was
// sent: with the changes that were made to it.
func (ops HeaderOps) ApplyToResponse(h map[string][]string, v Values) {
	v.Response = h
	ops.apply(h, v, func() Values { return v })
}

// apply makes the changes level by level. "Only after all the formatters produced
// the new values of the headers, the headers are set" (Envoy, header_parser.cc),
// and after those to be removed are: so a value may ask for what it replaces, and
// the route's for what the destination has written. now are the values of h as it
// has become.
func (ops HeaderOps) apply(h map[string][]string, v Values, now func() Values) {
	for len(ops) > 0 {
		n := ops.level()
		ops[:n].applyLevel(h, v, now)
		ops = ops[n:]
	}
}

// level is how many operations are of one level.
func (ops HeaderOps) level() int {
	n := 1
	for n < len(ops) && ops[n].last == ops[0].last {
		n++
	}
	return n
}

func (ops HeaderOps) applyLevel(h map[string][]string, v Values, now func() Values) {
	for len(ops) > 0 && ops[0].kind == remove {
		delete(h, ops[0].name.key(v.LowerKeys))
		ops = ops[1:]
	}
	var asked []string
	if ops.Asks() {
		asked = ops.format(now())
	}
	for i := range ops {
		if asked != nil {
			ops[i].write(h, v.LowerKeys, asked[i])
		} else {
			ops[i].write(h, v.LowerKeys, ops[i].value.format(v))
		}
	}
}

func (ops HeaderOps) format(v Values) []string {
	out := make([]string, len(ops))
	for i := range ops {
		out[i] = ops[i].value.format(v)
	}
	return out
}

// write sets or adds a value. An empty one does nothing: it neither clears nor adds
// the header.
func (op *headerOp) write(h map[string][]string, lower bool, value string) {
	key := op.name.key(lower)
	switch {
	case value == "":
	case op.kind == set:
		h[key] = []string{value}
	default:
		h[key] = append(h[key][:len(h[key]):len(h[key])], value)
	}
}

// compileAuthority finds the host that is sent instead of the request's: the
// route's before the destination's, and at each level the rewrite before a
// header that is set, before one that is added.
func compileAuthority(spec *networking.HTTPRoute, arm *networking.HTTPRouteDestination) template {
	if a := spec.GetRewrite().GetAuthority(); a != "" {
		return template{{literal: a}}
	}
	for _, ops := range []*networking.Headers_HeaderOperations{spec.GetHeaders().GetRequest(), arm.GetHeaders().GetRequest()} {
		for _, values := range []map[string]string{ops.GetSet(), ops.GetAdd()} {
			for _, name := range slices.Sorted(maps.Keys(values)) {
				if isAuthority(name) {
					return compileTemplate(values[name])
				}
			}
		}
	}
	return nil
}

// RewritesAuthority says whether another host is sent than the request's.
func (d *Destination) RewritesAuthority() bool { return len(d.authority) > 0 }

// Authority is the host to send for a request; "" keeps the request's.
func (d *Destination) Authority(v Values) string { return d.authority.format(v) }
