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
	return slices.Concat(removes(destination), sets(destination), adds(destination), removes(route), sets(route), adds(route))
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
			out = append(out, headerOp{kind, newHeaderName(name), compileTemplate(values[name])})
		}
	}
	return out
}

func isAuthority(name string) bool {
	return strings.EqualFold(name, "host") || strings.EqualFold(name, ":authority")
}

// Apply makes the changes. An operation whose value is empty does nothing: it
// neither clears nor adds the header.
func (ops HeaderOps) Apply(h map[string][]string, v Values) {
	for _, op := range ops {
		key := op.name.canonical
		if v.LowerKeys {
			key = op.name.lower
		}
		if op.kind == remove {
			delete(h, key)
			continue
		}
		value := op.value.format(v)
		switch {
		case value == "":
		case op.kind == set:
			h[key] = []string{value}
		default:
			h[key] = append(h[key][:len(h[key]):len(h[key])], value)
		}
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
