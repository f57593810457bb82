package engine

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deaf hears nothing.
type deaf struct{}

func (deaf) Retrying(*Call, time.Duration)          {}
func (deaf) Done(*Call)                             {}
func (deaf) Circuit(*Cluster, *Host, breaker.Event) {}
func (deaf) ClusterClosed(*Cluster)                 {}
func (deaf) HostGone(*Cluster, *Host)               {}
func (deaf) MirrorDropped(string)                   {}
func (deaf) Trouble(string, error)                  {}

const (
	entry = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: play}
spec: {hosts: [play], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 10.0.0.1, labels: {version: v1}}]}
---
`
	withSubset    = entry + "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: play}\nspec: {host: play, subsets: [{name: v1, labels: {version: v1}}]}\n"
	withoutSubset = entry + "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: play}\nspec: {host: play, subsets: [{name: v2, labels: {version: v2}}]}\n"
	passthrough   = entry + "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: play}\nspec: {host: play, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}, subsets: [{name: v1, labels: {version: v1}}]}\n"
)

func planOf(t *testing.T, document string) *plan.Plan {
	t.Helper()
	set, err := rules.Parse("rules.yaml", []byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return plan.Compile(set, plan.Options{})
}

// A call that comes while a plan is put in force finds no cluster that the plan
// is about to retire: it would keep it for as long as the plan holds.
func TestACallFindsNoClusterThatIsAboutToGo(t *testing.T) {
	key := plan.ClusterKey{Host: "play.default.svc.cluster.local", Port: 80, Subset: "v1"}
	for name, next := range map[string]string{"no such subset": withoutSubset, "passthrough": passthrough} {
		for _, when := range []string{"before the routes", "between routes and end"} {
			t.Run(name+", "+when, func(t *testing.T) {
				e, err := New(Config{Events: deaf{}})
				if err != nil {
					t.Fatal(err)
				}
				defer e.Close()
				e.Apply(planOf(t, withSubset))
				p := planOf(t, next)
				var old *Cluster
				if when == "before the routes" {
					old = e.live(key)
					e.reconfigure(p)
				} else { // it came to life after the first look at what lives
					e.reconfigure(p)
					old = e.live(key)
				}
				e.state.Store(&state{plan: p})
				if got := e.live(key); got == old {
					t.Error("a call by the new plan found the cluster of the old one")
				}
				e.Apply(p)
				if !old.Closed() {
					t.Error("the cluster of the old plan lives on, and with it the watch of its endpoints")
				}
			})
		}
	}
}

// An edit elsewhere costs a live cluster nothing: not even its policy is another.
func TestAnEditElsewhereLeavesAClusterAsItIs(t *testing.T) {
	e, err := New(Config{Events: deaf{}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var parser rules.Parser
	apply := func(documents string) {
		set, err := parser.Parse(rules.Text{Name: "rules.yaml", Data: []byte(documents)})
		if err != nil {
			t.Fatal(err)
		}
		e.Apply(plan.Recompile(e.Plan(), set, plan.Options{}))
	}
	const elsewhere = "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: other}\nspec: {host: other, trafficPolicy: {outlierDetection: {consecutive5xxErrors: "
	apply(withSubset + elsewhere + "1}}}")
	cl := e.live(plan.ClusterKey{Host: "play.default.svc.cluster.local", Port: 80, Subset: "v1"})
	before := cl.Spec()
	apply(withSubset + elsewhere + "2}}}")
	if cl.Spec() != before {
		t.Error("an edit elsewhere gave the cluster another policy")
	}
	if cl.plan.Load() != e.Plan() {
		t.Error("the cluster is still of the old plan, which it keeps from being collected")
	}
	apply(withoutSubset + elsewhere + "2}}}")
	if !cl.Closed() {
		t.Error("the cluster outlives its subset")
	}
}
