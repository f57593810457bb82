package plan_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A draft is rules that somebody edits again and again.
type draft struct {
	dice
	objects []object
	made    int
}

// edit changes one thing: an object is added, removed, or says something else
// under its name.
func (d *draft) edit() {
	i := d.IntN(len(d.objects) + 1)
	switch {
	case i == len(d.objects):
		d.objects = append(d.objects, d.anything())
	case d.percent(15):
		d.objects = slices.Delete(d.objects, i, i+1)
	case d.percent(15): // the lines of what follows move
		d.objects = slices.Insert(d.objects, i, d.anything())
	default:
		d.objects[i] = d.again(d.objects[i])
	}
}

// again is an object of the same kind that means something else, most often for the
// same as before; or it is the same in another namespace.
func (d *draft) again(o object) object {
	fresh := d.kinds()[o["kind"].(string)](0)
	before, spec := o["spec"].(object), fresh["spec"].(object)
	if d.percent(10) {
		fresh["metadata"].(object)["name"], fresh["spec"] = o["metadata"].(object)["name"], before
		return fresh
	}
	fresh["metadata"] = o["metadata"]
	for _, head := range []string{"host", "hosts", "exportTo", "gateways", "workloadSelector"} {
		if d.percent(85) {
			delete(spec, head)
			if v, ok := before[head]; ok {
				spec[head] = v
			}
		}
	}
	return fresh
}

func (d *draft) anything() object {
	d.made++
	kind := pick(d.dice, "VirtualService", "VirtualService", "DestinationRule", "DestinationRule", "ServiceEntry", "WorkloadEntry", "PeerAuthentication", "Delegate")
	return d.kinds()[kind](d.made)
}

func (d *draft) kinds() map[string]func(int) object {
	return map[string]func(int) object{
		"VirtualService":     d.routes,
		"Delegate":           d.delegate,
		"DestinationRule":    d.policy,
		"ServiceEntry":       d.selecting,
		"WorkloadEntry":      d.workloadEntry,
		"PeerAuthentication": d.peerAuthentication,
	}
}

// routes go to hosts of others too, whose policies they depend on.
func (d *draft) routes(i int) object {
	o := d.virtualService(i)
	o["spec"].(object)["http"] = d.list(2, d.route)
	return o
}

func (d *draft) route() any {
	r := object{"route": []object{{"destination": object{"host": pick(d.dice, hostWords[:7]...), "subset": pick(d.dice, "v1", "v2")}}}}
	d.put(r, 50, "timeout", func() any { return pick(d.dice, "1s", "2s") })
	d.put(r, 40, "match", func() any { return d.list(2, d.match) })
	if d.percent(20) {
		delete(r, "route")
		r["delegate"] = object{"name": pick(d.dice, "d1", "d2")}
	}
	return r
}

func (d *draft) delegate(int) object {
	o := d.rule("VirtualService", 0, object{"http": []object{{"route": []object{{"destination": object{"host": pick(d.dice, hostWords[:7]...)}}}}}})
	o["metadata"].(object)["name"] = pick(d.dice, "d1", "d2")
	return o
}

func (d *draft) policy(i int) object {
	o := d.destinationRule(i)
	spec := o["spec"].(object)
	d.put(spec, 50, "subsets", func() any { return []object{{"name": pick(d.dice, "v1", "v2"), "labels": object{"version": "x"}}} })
	d.put(spec, 30, "workloadSelector", func() any { return object{"matchLabels": object{"app": pick(d.dice, "a", "b")}} })
	d.put(spec, 60, "trafficPolicy", func() any {
		return pick(d.dice,
			object{"loadBalancer": object{"consistentHash": object{"httpHeaderName": pick(d.dice, "x-user", "x-flag")}}},
			object{"connectionPool": object{"http": object{"http2MaxRequests": 1 + d.IntN(3)}}},
			object{"tls": object{"mode": "DISABLE"}})
	})
	return o
}

func (d *draft) selecting(i int) object {
	o := d.serviceEntry(i)
	d.put(o["spec"].(object), 40, "workloadSelector", func() any { return object{"labels": object{"app": pick(d.dice, "a", "b")}} })
	return o
}

func (d *draft) workloadEntry(i int) object {
	return d.inNamespace("networking.istio.io/v1", "WorkloadEntry", i, object{
		"address": fmt.Sprint("10.0.0.", 1+d.IntN(9)), "labels": object{"app": pick(d.dice, "a", "b")}})
}

func (d *draft) peerAuthentication(i int) object {
	return d.inNamespace("security.istio.io/v1", "PeerAuthentication", i, object{"mtls": object{"mode": pick(d.dice, "DISABLE", "STRICT")}})
}

func (d *draft) inNamespace(version, kind string, i int, spec object) object {
	o := d.rule(kind, i, spec)
	delete(spec, "exportTo")
	o["apiVersion"] = version
	return o
}

func (d *draft) text() []byte {
	var text strings.Builder
	for _, o := range d.objects {
		write(&text, o)
	}
	return []byte(text.String())
}

// Whatever is edited, a plan that takes over what stands says the same as one made
// from scratch; and what it says that stands does.
func TestARecompiledPlanIsTheCompiledOne(t *testing.T) {
	options := []plan.Options{
		{Workload: plan.Workload{Namespace: "prod", Labels: map[string]string{"app": "a", "version": "v1"}}}, {},
	}
	shared, stood := 0, 0
	for seed := range uint64(30) {
		d := &draft{dice: seeded(seed)}
		o := options[seed%2]
		var parser rules.Parser
		before := plan.Compile(nil, o)
		for range 25 {
			d.edit()
			set, err := parser.Parse(rules.Text{Name: "edited.json", Data: d.text()})
			if err != nil {
				continue // a file that is not valid is not put in force
			}
			got, want := plan.Recompile(before, set, o), plan.Compile(set, o)
			stood += compareHosts(t, before, got, want)
			if t.Failed() {
				t.Fatalf("seed %d, after an edit to\n%s", seed, d.text())
			}
			if got.SharesIndex(before) {
				shared++
			}
			before = got
		}
	}
	if shared < 50 || stood < 50 {
		t.Errorf("%d plans took over an index and %d clusters stood: too few to prove anything", shared, stood)
	}
}

// compareHosts compares what two plans say of every host, and counts the clusters of the
// plan before that stand.
func compareHosts(t *testing.T, before, got, want *plan.Plan) (stood int) {
	for _, authority := range append(requestHosts, "d1", "x.com") {
		a, b := got.Lookup(authority), want.Lookup(authority)
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %+v; from scratch %+v", authority, a.VirtualHost, b.VirtualHost)
		}
		for _, subset := range []string{"", "v1", "v2"} {
			key := plan.ClusterKey{Host: b.Name, Port: 9080, Subset: subset}
			c := want.Cluster(key)
			if !reflect.DeepEqual(got.Cluster(key), c) {
				t.Errorf("%v: %+v; from scratch %+v", key, got.Cluster(key), c)
			}
			if old := before.Cluster(key); got.Stands(old) {
				stood++
				if !reflect.DeepEqual(old, c) {
					t.Errorf("%v: %+v is said to stand; from scratch %+v", key, old, c)
				}
			}
		}
	}
	return stood
}

// An edit of what rules say, rather than of whom they are for, does not touch what
// is known of others.
func TestAnEditLeavesOthersAsTheyAre(t *testing.T) {
	const others = `subsets: [{name: v1, labels: {version: v1}}]`
	var parser rules.Parser
	read := func(timeout, requests string) *rules.Set {
		set, err := parser.Parse(rules.Text{Name: "a.yaml", Data: []byte(strings.Join([]string{
			virtualService("a", "hosts: [a]\nhttp: [{timeout: "+timeout+", route: [{destination: {host: a}}]}]"),
			destinationRule("a", "host: a\ntrafficPolicy: {connectionPool: {http: {http2MaxRequests: "+requests+"}}}"),
			destinationRule("b", "host: b\n"+others),
		}, "---\n"))})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	a := plan.ClusterKey{Host: "a.default.svc.cluster.local", Port: 80}
	b := plan.ClusterKey{Host: "b.default.svc.cluster.local", Port: 80}
	first := plan.Compile(read("1s", "1"), plan.Options{})
	second := plan.Recompile(first, read("2s", "1"), plan.Options{})
	third := plan.Recompile(second, read("2s", "\n      2"), plan.Options{}) // and b moves down
	for _, c := range []struct {
		name string
		plan *plan.Plan
		of   *plan.Cluster
		want bool
	}{
		{"after the edit of a route", second, first.Cluster(a), true},
		{"after the edit of its policy", third, second.Cluster(a), false},
		{"after the edit of a route elsewhere", second, first.Cluster(b), true},
		{"by the rules of another workload", plan.Recompile(first, read("2s", "1"), plan.Options{RootNamespace: "x"}), first.Cluster(b), false},
	} {
		if got := c.plan.Stands(c.of); got != c.want {
			t.Errorf("%s: stands %v, want %v", c.name, got, c.want)
		}
	}
	if !second.SharesIndex(first) || !third.SharesIndex(first) {
		t.Error("the index was made anew")
	}
	if got := route(t, second, "http://a/").Timeout.String(); got != "2s" {
		t.Errorf("the edited route's timeout is %s, want 2s", got)
	}
	if got := route(t, first, "http://a/").Timeout.String(); got != "1s" {
		t.Errorf("the plan before has a timeout of %s now, want 1s", got)
	}
}
