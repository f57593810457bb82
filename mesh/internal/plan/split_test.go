package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// split is a route of a.com over arms with the weights; arm i is v<i>.
func split(t *testing.T, weights ...int) *plan.Route {
	t.Helper()
	var arms []string
	for i, w := range weights {
		arms = append(arms, fmt.Sprintf("{destination: {host: b.com, subset: v%d}, weight: %d}", i, w))
	}
	p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{route: ["+strings.Join(arms, ", ")+"]}]"))
	return route(t, p, "http://a.com/")
}

// shares counts which arm each of n points gets that are spread evenly over all
// values of a uint32.
func shares(r *plan.Route, n int) map[string]int {
	out := map[string]int{}
	for i := range n {
		out[r.Choose(uint32((uint64(i)<<32)/uint64(n))).Subset]++
	}
	return out
}

func TestWeightsShareTheTraffic(t *testing.T) {
	for _, c := range []struct {
		weights []int
		want    map[string]int // of 12,000
	}{
		{[]int{0}, map[string]int{"v0": 12000}}, // one destination: the weight is ignored
		{[]int{7}, map[string]int{"v0": 12000}},
		{[]int{90, 10}, map[string]int{"v0": 10800, "v1": 1200}},
		{[]int{60, 60}, map[string]int{"v0": 6000, "v1": 6000}}, // "the sum need not be 100"
		{[]int{1, 0, 2}, map[string]int{"v0": 4000, "v2": 8000}},
		{[]int{0, 5}, map[string]int{"v1": 12000}},
		{[]int{1, 1, 1}, map[string]int{"v0": 4000, "v1": 4000, "v2": 4000}},
		{[]int{2147483646, 1}, map[string]int{"v0": 12000}},
	} {
		got := shares(split(t, c.weights...), 12000)
		for arm, want := range c.want {
			if got[arm] < want-1 || got[arm] > want+1 { // a point may stand on a border
				t.Errorf("weights %v: %v, want %v", c.weights, got, c.want)
			}
		}
	}
}

func TestBothEndsOfTheRandomNumbersHaveAnArm(t *testing.T) {
	r := split(t, 1, 2147483646)
	if got := r.Choose(0).Subset; got != "v0" {
		t.Errorf("0 gives %s", got)
	}
	if got := r.Choose(1<<32 - 1).Subset; got != "v1" {
		t.Errorf("the last gives %s", got)
	}
}

func TestSharesAddUpToOne(t *testing.T) {
	r := split(t, 1, 0, 3)
	if r.Share(0) != 0.25 || r.Share(1) != 0.75 {
		t.Errorf("shares %v and %v", r.Share(0), r.Share(1))
	}
}
