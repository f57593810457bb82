package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// More spellings than are remembered, each asked for twice: some of the second answers
// are remembered ones, and all are the first again.
func TestASpellingMeansTheSameEachTime(t *testing.T) {
	p := compile(t, answers("a", "reviews"), answers("wild", `"*.foo.com"`), answers("v6", `"fd00::1"`))
	spellings := []string{
		"reviews", "Reviews.", "reviews:80", "reviews.default:80", "reviews.default.svc.cluster.local", "unknown", "unknown:80",
		strings.Repeat("a", 1000) + ".foo.com", "a.foo.com", "a.foo.com:81", "A.FOO.com.:82", "foo.com", "fd00::1", "[fd00::1]:80", "", ":", "abc", "abcd", "abcdefgh", "abcdefghi",
	}
	for i := range 3000 {
		spellings = append(spellings, fmt.Sprintf("service-%d.foo.com:%d", i, i))
	}
	var first []plan.Target
	for _, s := range spellings {
		first = append(first, p.Lookup(s))
	}
	for i, s := range spellings {
		if again := p.Lookup(s); again != first[i] {
			t.Errorf("%q is %v, and then %v", s, first[i], again)
		}
	}
}

// What one plan has found is nothing to the next.
func TestANewPlanAnswersAnew(t *testing.T) {
	before := compile(t, answers("a", "reviews"), answers("wild", `"*.foo.com"`))
	for _, s := range []string{"reviews", "x.foo.com"} {
		before.Lookup(s)
	}
	after := plan.Recompile(before, nil, plan.Options{})
	for _, s := range []string{"reviews", "x.foo.com"} {
		if got := after.Lookup(s); got.VirtualHost != nil {
			t.Errorf("%s is still known, as %s", s, got.Host)
		}
	}
}
