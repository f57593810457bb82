package plan_test

import (
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// compare asks the compiled plan and the naive one about n requests.
func compare(t *testing.T, seed uint64, n int) {
	t.Helper()
	d := seeded(seed)
	naive := d.world(t)
	compiled := plan.Compile(naive.set, plan.Options{Workload: naive.workload})
	for range n {
		r := d.request()
		if got, want := answerOf(compiled, r), naive.answer(r); got != want {
			t.Errorf("seed %d, caller %v, request %+v:\n got %+v\nwant %+v", seed, naive.workload, r, got, want)
		}
	}
}

func answerOf(p *plan.Plan, r *plan.Request) answer {
	target := p.Lookup(r.Authority)
	if target.VirtualHost == nil {
		return answer{}
	}
	switch route := target.Match(r, target.Port); {
	case route == nil:
		return answer{true, "", noMatch}
	case route.Rule == nil:
		return answer{known: true}
	default:
		return answer{true, route.Rule.Namespace + "/" + route.Rule.Name, route.Field}
	}
}

func TestAnswersAsANaiveReadingOfTheRules(t *testing.T) {
	const worlds, requests = 1000, 110
	for seed := range uint64(worlds) {
		compare(t, seed, requests)
	}
}

func FuzzMatch(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) { compare(t, seed, 20) })
}
