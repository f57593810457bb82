package plan_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// written applies the header operations of the arm that Choose(0) gives, on a
// request or response with x: [was].
func written(t *testing.T, spec string, response bool) map[string][]string {
	t.Helper()
	p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: ["+spec+"]"))
	d := route(t, p, "http://a.com/").Choose(0)
	h := map[string][]string{"X": {"was"}}
	v := plan.Values{Request: get("http://a.com/")}
	if response {
		d.Response.ApplyToResponse(h, v)
	} else {
		v.Header = maps.Clone(h)
		d.Request.ApplyToRequest(h, v)
	}
	return h
}

// Values are formatted after what is to be removed is gone, and before anything of
// their level is written.
func TestValuesAskForHeadersAsTheyWere(t *testing.T) {
	for _, c := range []struct {
		name, route, destination string
		want                     []string // of z
	}{
		{"what is set as well", "set: {x: new, z: '%REQ(x)%'}", "", []string{"was"}},
		{"each other", "set: {x: '%REQ(z)%-', z: '%REQ(x)%'}", "", []string{"was"}},
		{"what is removed", "remove: [x], set: {z: '%REQ(x)%'}", "", nil},
		{"what the destination removes", "set: {z: '%REQ(x)%'}", "remove: [x]", nil},
		{"what the destination sets", "set: {z: '%REQ(x)%'}", "set: {x: new}", []string{"was"}},
		{"itself", "add: {x: more, z: 'a-%REQ(x)%'}", "", []string{"a-was"}},
	} {
		for _, side := range []string{"request", "response"} {
			spec := "{headers: {" + side + ": {" + c.route + "}}, route: [{destination: {host: b.com}, headers: {" + side + ": {" + c.destination + "}}}]}"
			if side == "response" {
				spec = strings.ReplaceAll(spec, "REQ(", "RESP(")
			}
			if got := written(t, spec, side == "response")["Z"]; !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: z = %v, want %v", side, c.name, got, c.want)
			}
		}
	}
	// Of several destinations one is through before the route begins.
	spec := "{headers: {request: {set: {z: '%REQ(x)%'}}}, route: [{destination: {host: b.com}, weight: 1, headers: {request: {set: {x: new}}}}, {destination: {host: c.com}, weight: 1}]}"
	if got := written(t, spec, false)["Z"]; !slices.Equal(got, []string{"new"}) {
		t.Errorf("several destinations: z = %v", got)
	}
}

func TestHeaderOperationsOfOneDestinationAreOneList(t *testing.T) {
	for _, c := range []struct {
		name, route, destination string
		want                     []string // of x
	}{
		{"nothing", "", "", []string{"was"}},
		{"set overwrites", "set: {x: a}", "", []string{"a"}},
		{"add appends", "add: {x: a}", "", []string{"was", "a"}},
		{"remove", "remove: [x]", "", nil},
		{"remove comes before set", "remove: [x], set: {x: a}", "", []string{"a"}},
		{"remove comes before add", "remove: [x], add: {x: a}", "", []string{"a"}},
		{"set comes before add", "set: {x: a}, add: {x: b}", "", []string{"a", "b"}},
		{"set of the destination wins", "set: {x: a}", "set: {x: b}", []string{"b"}},
		{"add of both, the route's first", "add: {x: a}", "add: {x: b}", []string{"was", "a", "b"}},
		{"remove of the destination does not undo a set", "set: {x: a}", "remove: [x]", []string{"a"}},
		{"remove of the destination does not undo an add", "add: {x: a}", "remove: [x]", []string{"a"}},
		{"set of the destination does not undo an add", "add: {x: a}", "set: {x: b}", []string{"b", "a"}},
		{"an empty set does nothing", `set: {x: ""}`, "", []string{"was"}},
		{"an empty add does nothing", `add: {x: ""}`, "", []string{"was"}},
		{"an empty set does not undo another", "set: {x: a}", `set: {x: ""}`, []string{"a"}},
		{"the name is in any case", "set: {X: a}", "remove: [X]", []string{"a"}},
		{"keys of one map go by name", "set: {X: a, x: b}", "", []string{"b"}},
	} {
		for _, side := range []string{"request", "response"} {
			spec := "{headers: {" + side + ": {" + c.route + "}}, route: [{destination: {host: b.com}, headers: {" + side + ": {" + c.destination + "}}}]}"
			if got := written(t, spec, side == "response")["X"]; !slices.Equal(got, c.want) {
				t.Errorf("%s, %s: x = %v, want %v", side, c.name, got, c.want)
			}
		}
	}
}

func TestOfSeveralDestinationsTheRouteHasTheLastWord(t *testing.T) {
	for _, c := range []struct {
		name, route, destination string
		want                     []string
	}{
		{"set of the route wins", "set: {x: a}", "set: {x: b}", []string{"a"}},
		{"set of the route undoes an add", "set: {x: a}", "add: {x: b}", []string{"a"}},
		{"remove of the route undoes all", "remove: [x]", "set: {x: b}, add: {x: c}", nil},
		{"add of both, the destination's first", "add: {x: a}", "add: {x: b}", []string{"was", "b", "a"}},
		{"within a level remove, set, add", "", "remove: [x], set: {x: a}, add: {x: b}", []string{"a", "b"}},
	} {
		for _, weight := range []string{"1", "0"} { // an arm without weight still counts
			spec := "{headers: {request: {" + c.route + "}}, route: [{destination: {host: b.com}, weight: 1, headers: {request: {" + c.destination +
				"}}}, {destination: {host: c.com}, weight: " + weight + "}]}"
			if got := written(t, spec, false)["X"]; !slices.Equal(got, c.want) {
				t.Errorf("%s: x = %v, want %v", c.name, got, c.want)
			}
		}
	}
}

func TestHeaderOperationsLeaveTheCallersValuesAlone(t *testing.T) {
	p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{headers: {request: {add: {x: b}}}, route: [{destination: {host: b.com}}]}]"))
	values := append(make([]string, 0, 4), "a")
	mine := map[string][]string{"X": values}
	copied := maps.Clone(mine)
	route(t, p, "http://a.com/").Destinations[0].Request.ApplyToRequest(copied, plan.Values{Request: get("http://a.com/")})
	if !slices.Equal(copied["X"], []string{"a", "b"}) || values[:2][1] != "" {
		t.Errorf("copy %v, and behind the caller's slice %q", copied, values[:2][1])
	}
}

func TestMetadataOfGRPCHasLowerCaseKeys(t *testing.T) {
	p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{headers: {request: {set: {X-A: a}, remove: [X-B]}}, route: [{destination: {host: b.com}}]}]"))
	r := get("http://a.com/")
	r.LowerKeys = true
	md := map[string][]string{"x-a": {"was"}, "x-b": {"was"}}
	route(t, p, "http://a.com/").Destinations[0].Request.ApplyToRequest(md, plan.Values{Request: r})
	if want := map[string][]string{"x-a": {"a"}}; !reflect.DeepEqual(md, want) {
		t.Errorf("metadata %v, want %v", md, want)
	}
}

func TestTheHostIsRewrittenByTheRouteBeforeTheDestination(t *testing.T) {
	for _, c := range []struct{ name, route, destination, want string }{
		{"none", "", "", ""},
		{"rewrite", "rewrite: {authority: a}, ", "", "a"},
		{"set host", "headers: {request: {set: {Host: a}}}, ", "", "a"},
		{"set :authority", `headers: {request: {set: {":authority": a}}}, `, "", "a"},
		{"add", "headers: {request: {add: {host: a}}}, ", "", "a"},
		{"destination alone", "", "headers: {request: {set: {host: b}}}", "b"},
		{"rewrite before destination", "rewrite: {authority: a}, ", "headers: {request: {set: {host: b}}}", "a"},
		{"added by the route before set by the destination", "headers: {request: {add: {host: a}}}, ", "headers: {request: {set: {host: b}}}", "a"},
		{"set before add", "", "headers: {request: {set: {host: b}, add: {\":authority\": c}}}", "b"},
	} {
		for _, more := range []string{"", ", {destination: {host: c.com}, weight: 1}"} { // one destination, or two
			spec := "{" + c.route + "route: [{destination: {host: b.com}, weight: 1, " + c.destination + "}" + more + "]}"
			p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: ["+spec+"]"))
			d := route(t, p, "http://a.com/").Choose(0)
			v := plan.Values{Request: get("http://a.com/")}
			if got := d.Authority(v); got != c.want {
				t.Errorf("%s: host %q, want %q", c.name, got, c.want)
			}
			h := map[string][]string{}
			if d.Request.ApplyToRequest(h, v); len(h) > 0 {
				t.Errorf("%s: the rewrite of the host became a header: %v", c.name, h)
			}
		}
	}
}
