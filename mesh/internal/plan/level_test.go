package plan_test

import (
	"fmt"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// Of every block one field tells where it comes from: requests of the connection
// pool, gateway errors of the outlier detection, points of the ring, retries of
// the budget.
func blocks(pool, outlier, lb, budget int) string {
	out := ""
	for _, b := range []struct {
		n    int
		text string
	}{
		{pool, "connectionPool: {http: {http2MaxRequests: %d}}, "},
		{outlier, "outlierDetection: {consecutiveGatewayErrors: %d}, "},
		{lb, "loadBalancer: {consistentHash: {httpHeaderName: x, ringHash: {minimumRingSize: %d}}}, "},
		{budget, "retryBudget: {minRetryConcurrency: %d}, "},
	} {
		if b.n != 0 {
			out += fmt.Sprintf(b.text, b.n)
		}
	}
	return out
}

func TestLevelsOfAPolicy(t *testing.T) {
	top := blocks(1, 1, 1, 1)
	port := func(n int, b string) string {
		return fmt.Sprintf("portLevelSettings: [{port: {number: %d}, %s}], ", n, b)
	}
	for _, c := range []struct {
		name                string
		top, subset         string
		pool, outlier, ring int
		budget              int
	}{
		{"top", top, "", 1, 1, 1, 1},
		{"port: only its own blocks", top + port(80, blocks(2, 0, 0, 0)), "", 2, 0, 0, 0},
		{"another port", top + port(81, blocks(2, 0, 0, 0)), "", 1, 1, 1, 1},
		{"port 0 never matches", top + port(0, blocks(2, 0, 0, 0)), "", 1, 1, 1, 1},
		{"the first of two entries of a port", top + fmt.Sprintf("portLevelSettings: [{port: {number: 80}, %s}, {port: {number: 80}, %s}]", blocks(2, 0, 0, 0), blocks(3, 3, 0, 0)), "", 2, 0, 0, 0},
		{"subset: whole blocks", top, blocks(3, 0, 0, 0), 3, 1, 1, 1},
		{"subset: every block", top, blocks(3, 3, 3, 3), 3, 3, 3, 3},
		{"subset over the port's", top + port(80, blocks(2, 2, 0, 0)), blocks(3, 0, 0, 0), 3, 2, 0, 0},
		{"subset with a budget over a port's", top + port(80, blocks(2, 2, 0, 0)), blocks(0, 0, 0, 3), 2, 2, 0, 3},
		{"subset's port: only its blocks, but the base's budget", top, blocks(3, 3, 3, 0) + port(80, blocks(4, 0, 0, 0)), 4, 0, 0, 1},
		{"subset's port and the port's: no budget", top + port(80, blocks(2, 0, 0, 0)), port(80, blocks(4, 0, 0, 0)), 4, 0, 0, 0},
		{"subset's port: the subset's budget", top, blocks(0, 0, 0, 3) + port(80, blocks(4, 0, 0, 0)), 4, 0, 0, 3},
		{"subset's other port", top, blocks(3, 0, 0, 0) + port(81, blocks(4, 0, 0, 0)), 3, 1, 1, 1},
		{"subset without top", "", blocks(3, 0, 0, 0), 3, 0, 0, 0},
	} {
		spec := "host: a.com\n"
		if c.top != "" {
			spec += "trafficPolicy: {" + c.top + "}\n"
		}
		policy := ""
		if c.subset != "" {
			policy = ", trafficPolicy: {" + c.subset + "}"
		}
		p := compile(t, destinationRule("d", spec+"subsets: [{name: s, labels: {v: a}"+policy+"}]"))
		got := p.Cluster(plan.ClusterKey{Host: "a.com", Port: 80, Subset: "s"})
		budget := 0
		if got.Budget != nil {
			budget = got.Budget.MinConcurrency
		}
		have := []int{int(got.Limits.MaxRequests), int(got.Outlier.ConsecutiveGateway), int(got.Balancer.MinimumRingSize), budget}
		if want := []int{c.pool, c.outlier, c.ring, c.budget}; fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s: pool, outlier, ring, budget %v, want %v", c.name, have, want)
		}
		if got.Outlier.Enabled != (c.outlier != 0) {
			t.Errorf("%s: outlier detection is on: %v", c.name, got.Outlier.Enabled)
		}
	}
}

func TestAPolicyOfASubsetHoldsOnlyForTheSubset(t *testing.T) {
	p := compile(t, destinationRule("d", "host: a.com\nsubsets: [{name: s, labels: {v: a}, trafficPolicy: {connectionPool: {http: {http2MaxRequests: 3}}}}]"))
	if got := p.Cluster(plan.ClusterKey{Host: "a.com", Port: 80}).Limits.MaxRequests; got != 0 {
		t.Errorf("the whole service is limited to %d", got)
	}
}

func TestSubsetsSelectByLabels(t *testing.T) {
	p := compile(t, destinationRule("d", "host: a.com\nsubsets: [{name: v1, labels: {version: v1, tier: x}}, {name: all}]"))
	for subset, want := range map[string]string{
		"":    "map[]; ",
		"v1":  "map[tier:x version:v1]; ",
		"all": "map[]; ", // no labels: all endpoints
		"v2":  `map[]; subset "v2" is not defined by DestinationRule default/d`,
	} {
		c := p.Cluster(plan.ClusterKey{Host: "a.com", Port: 80, Subset: subset})
		if got := fmt.Sprintf("%v; %s", c.Labels, c.Missing); got != want {
			t.Errorf("%q: %s, want %s", subset, got, want)
		}
	}
}

// Where no rule of the host defines any subset, subset X means the label version=X.
func TestSubsetsAreImpliedWhereNoneIsDefined(t *testing.T) {
	for _, c := range []struct{ name, document, want string }{
		{"no rule", destinationRule("d", "host: other.com"), "map[version:v1]; "},
		{"a rule without subsets", destinationRule("d", "host: a.com\ntrafficPolicy: {outlierDetection: {}}"), "map[version:v1]; "},
		{"a rule with another subset", destinationRule("d", "host: a.com\nsubsets: [{name: v2}]"), `map[]; subset "v1" is not defined by DestinationRule default/d`},
	} {
		got := compile(t, c.document).Cluster(plan.ClusterKey{Host: "a.com", Port: 80, Subset: "v1"})
		if s := fmt.Sprintf("%v; %s", got.Labels, got.Missing); s != c.want {
			t.Errorf("%s: %s, want %s", c.name, s, c.want)
		}
	}
}
