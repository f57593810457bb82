package ratelimit_test

import (
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/ratelimit"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A request at a time, and the bound that is to refuse it; "": none.
type request struct {
	ms     int
	route  string
	caller string
	want   ratelimit.Bound
}

func play(t *testing.T, l *ratelimit.Limits, requests []request) {
	t.Helper()
	for i, r := range requests {
		refusal, ok := l.Allow(at(r.ms), r.route, r.caller)
		if refusal.Bound != r.want || ok != (r.want == "") {
			t.Fatalf("request %d, %+v: refused by %q, ok %v", i, r, refusal.Bound, ok)
		}
	}
}

// repeat is n requests like r.
func repeat(n int, r request) (all []request) {
	for range n {
		all = append(all, r)
	}
	return all
}

func concat(parts ...[]request) (all []request) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func TestNoPolicyNoBound(t *testing.T) {
	play(t, compile(), repeat(1000, request{caller: id("a")}))
	play(t, new(ratelimit.Limits), repeat(1000, request{route: "r"}))
}

func TestTotalIsASecondsWorthAndFillsUpSteadily(t *testing.T) {
	play(t, compile(policy("p", total(4))), []request{
		{ms: 0}, {ms: 0, caller: id("a")}, {ms: 0}, {ms: 0}, {ms: 0, want: ratelimit.Total},
		{ms: 249, want: ratelimit.Total}, {ms: 250}, {ms: 250, want: ratelimit.Total},
		{ms: 10_000}, {ms: 10_000}, {ms: 10_000}, {ms: 10_000}, {ms: 10_000, want: ratelimit.Total},
	})
}

func TestEachCallerHasItsOwnBound(t *testing.T) {
	play(t, compile(policy("p", identity(2))), []request{
		{caller: id("a")}, {caller: id("a")}, {caller: id("a"), want: ratelimit.Identity},
		{caller: id("b")}, {caller: id("b")}, {caller: id("b"), want: ratelimit.Identity},
	})
}

func TestCallersWithoutIdentityShareOneBound(t *testing.T) {
	play(t, compile(policy("p", identity(2))), []request{{}, {}, {want: ratelimit.Identity}, {caller: id("a")}})
}

func TestAnOverrideReplacesTheIdentityBoundForThoseItNames(t *testing.T) {
	play(t, compile(policy("p", identity(1), override(3, "batch"))), concat(
		repeat(3, request{caller: id("batch")}),
		[]request{{caller: id("batch"), want: ratelimit.Override}},
		[]request{{caller: id("a")}, {caller: id("a"), want: ratelimit.Identity}},
	))
}

func TestTheClientsOfAnOverrideShareItsBound(t *testing.T) {
	play(t, compile(policy("p", override(2, "a", "b"))), []request{
		{caller: id("a")}, {caller: id("b")},
		{caller: id("a"), want: ratelimit.Override}, {caller: id("b"), want: ratelimit.Override},
	})
}

func TestAnOverrideWithoutAnIdentityBoundLeavesOthersFree(t *testing.T) {
	play(t, compile(policy("p", override(1, "a"))), concat(repeat(100, request{caller: id("b")}), repeat(100, request{})))
}

func TestOverridesKnowTheirClientsInOwnTrustDomainsOnly(t *testing.T) {
	play(t, compile(policy("p", identity(1), override(2, "a"))), []request{
		{caller: id("a")},
		{caller: "spiffe://old.example.org/ns/prod/sa/a"},                              // an alias: the same client
		{caller: id("a"), want: ratelimit.Override},                                    // its two are spent
		{caller: "spiffe://other.org/ns/prod/sa/a"},                                    // somebody else's a
		{caller: "spiffe://other.org/ns/prod/sa/a", want: ratelimit.Identity},          //
		{caller: "spiffe://example.org/ns/test/sa/a"},                                  // of another namespace
		{caller: "spiffe://example.org/ns/test/sa/a", want: ratelimit.Identity},        //
		{caller: "spiffe://example.org/ns/prod/sa/a/b"},                                // no service account
		{caller: "spiffe://example.org/ns/prod/sa/a/b", want: ratelimit.Identity},      //
		{caller: "prefix spiffe://example.org/ns/prod/sa/a"},                           // no SPIFFE ID at all
		{caller: "prefix spiffe://example.org/ns/prod/sa/a", want: ratelimit.Identity}, //
	})
}

func TestAClientOfAnotherNamespaceIsNamedWithIt(t *testing.T) {
	p := policy("p", override(1, "a"))
	p.Spec.Overrides[0].ClientRefs[0].Namespace = "test"
	play(t, compile(p), []request{
		{caller: "spiffe://example.org/ns/test/sa/a"}, {caller: "spiffe://example.org/ns/test/sa/a", want: ratelimit.Override},
		{caller: id("a")}, {caller: id("a")},
	})
}

func TestWhatTheCallerIsRefusedCostsTheOthersNothing(t *testing.T) {
	play(t, compile(policy("p", total(3), identity(1))), concat(
		[]request{{caller: id("a")}},
		repeat(10, request{caller: id("a"), want: ratelimit.Identity}),
		[]request{{caller: id("b")}, {caller: id("c")}, {caller: id("d"), want: ratelimit.Total}},
	))
}

func TestWhatTheTotalRefusesCostsTheCallerNothing(t *testing.T) {
	play(t, compile(policy("p", total(4), identity(1))), concat(
		[]request{{caller: id("a")}, {caller: id("b")}, {caller: id("c")}, {caller: id("d")}},
		repeat(10, request{caller: id("e"), want: ratelimit.Total}),
		[]request{{ms: 250, caller: id("e")}}, // its own bucket was still full
	))
}

func TestARouteHasItsBoundBesideTheServers(t *testing.T) {
	l := compile(policy("server", total(3)), policy("route", forRoute("search"), total(1)))
	play(t, l, []request{
		{route: "search"}, {route: "search", want: ratelimit.Total}, {route: "search", want: ratelimit.Total},
		{route: "other"}, {}, {want: ratelimit.Total}, // the server's three
	})
}

func TestWhatTheServerRefusesCostsTheRouteNothing(t *testing.T) {
	l := compile(policy("server", total(4)), policy("route", forRoute("search"), identity(1)))
	play(t, l, concat(
		repeat(4, request{route: "other"}),
		repeat(5, request{route: "search", caller: id("a"), want: ratelimit.Total}),
		[]request{{ms: 250, route: "search", caller: id("a")}}, // the route's bucket was still full
	))
}

func TestPoliciesForOthersDoNotCount(t *testing.T) {
	elsewhere := policy("p", total(1))
	elsewhere.Namespace = "test"
	unknown := policy("q", total(1))
	unknown.Spec.TargetRef.Kind = "Gateway"
	l := compile(elsewhere, unknown, policy("r", forServer("api"), total(1)), policy("s", forRoute("search"), total(1)))
	play(t, l, repeat(100, request{route: "other"}))
}

func TestTheOldestPolicyForATargetCounts(t *testing.T) {
	l := compile(policy("old", total(2)), policy("new", total(1)), policy("oldroute", forRoute("r"), total(2)), policy("newroute", forRoute("r"), total(1)))
	play(t, l, []request{{route: "r"}, {route: "r"}})
	if refusal, ok := l.Allow(at(0), "", ""); ok || refusal.Policy.Name != "old" {
		t.Errorf("refused by %+v, want the policy old", refusal)
	}
}

func TestTheLaterOfTwoOverridesForAClientCounts(t *testing.T) {
	play(t, compile(policy("p", override(5, "a"), override(1, "a"))), []request{
		{caller: id("a")}, {caller: id("a"), want: ratelimit.Override},
	})
}

func TestARefusalSaysWhoRefusesAndForHowLong(t *testing.T) {
	slow, quick := policy("slow", total(2)), policy("quick", forRoute("r"), total(4))
	l := compile(slow, quick)
	for range 2 {
		l.Allow(at(0), "r", "")
	}
	l.Allow(at(250), "r", "") // refused by the server's alone
	got, ok := l.Allow(at(250), "", "")
	want := ratelimit.Refusal{Policy: &slow.Meta, Bound: ratelimit.Total, PerSecond: 2, Wait: 250 * time.Millisecond}
	if ok || got != want {
		t.Errorf("got %+v, %v, want %+v", got, ok, want)
	}
	if got, want := got.String(), "rate limit prod/slow: total: 2 per second"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOfSeveralThatRefuseTheLongestWaitIsTold(t *testing.T) {
	l := compile(policy("p", total(2), identity(1)))
	l.Allow(at(0), "", id("a"))
	l.Allow(at(0), "", id("b"))
	if got, _ := l.Allow(at(0), "", id("a")); got.Bound != ratelimit.Identity || got.Wait != time.Second {
		t.Errorf("got %+v, want the identity bound's 1 s, not the total's 500 ms", got)
	}
}

func TestRetryAfterIsInWholeSecondsAndOneAtLeast(t *testing.T) {
	for wait, want := range map[time.Duration]int{
		0: 1, 1: 1, time.Second: 1, time.Second + 1: 2, 90 * time.Second: 90,
	} {
		if got := (ratelimit.Refusal{Wait: wait}).RetryAfter(); got != want {
			t.Errorf("a wait of %v: got %d, want %d", wait, got, want)
		}
	}
}

func TestATimeThatGoesBackFillsNothing(t *testing.T) {
	play(t, compile(policy("p", total(2))), []request{
		{ms: 1000}, {ms: 1000}, {ms: 0, want: ratelimit.Total}, {ms: 1000, want: ratelimit.Total},
		{ms: 1500}, {ms: 500, want: ratelimit.Total}, {ms: 1500, want: ratelimit.Total},
	})
}

func TestTheLargestRate(t *testing.T) {
	play(t, compile(policy("p", total(1<<32-1), identity(1<<32-1))), repeat(1000, request{caller: id("a")}))
}

func TestAnUnvalidatedRateOfZeroLetsNotEverythingPass(t *testing.T) {
	play(t, compile(policy("p", total(0))), []request{{}, {want: ratelimit.Total}, {want: ratelimit.Total}})
}

func TestAnUnchangedPolicyKeepsItsBuckets(t *testing.T) {
	parts := []part{total(10), identity(1), override(1, "o")}
	spent := []request{{caller: id("a")}, {caller: id("o")}}
	refused := []request{{caller: id("a"), want: ratelimit.Identity}, {caller: id("o"), want: ratelimit.Override}}
	before := compile(policy("p", parts...), policy("other", forRoute("r"), total(1)))
	play(t, before, append(spent, request{route: "r", caller: id("b")}))

	moved := policy("p", parts...)
	moved.Line = 100
	w := web()
	w.TrustDomains = append(w.TrustDomains, "new.example.org")
	after := ratelimit.Compile([]*rules.RateLimitPolicy{moved, policy("other", forRoute("r"), total(2))}, w, before)
	play(t, after, refused)
	play(t, after, []request{
		{caller: "spiffe://new.example.org/ns/prod/sa/o", want: ratelimit.Override},
		{route: "r", caller: id("c")}, // the changed one begins anew
	})
	play(t, before, refused) // requests under way still use it
	if refusal, _ := after.Allow(at(0), "", id("a")); refusal.Policy.Line != 100 {
		t.Errorf("the refusal points to line %d, want where the policy stands now", refusal.Policy.Line)
	}
}

func TestARenamedPolicyBeginsAnew(t *testing.T) {
	before := compile(policy("p", total(1)))
	play(t, before, []request{{}, {want: ratelimit.Total}})
	play(t, ratelimit.Compile([]*rules.RateLimitPolicy{policy("q", total(1))}, web(), before), []request{{}})
}
