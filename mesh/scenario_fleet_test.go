package mesh_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
)

// cast starts n instances of reviews.
func (s *scene) cast(n int) []*actor {
	out := make([]*actor, n)
	for i := range out {
		out[i] = s.start("reviews", fmt.Sprint("r", i))
	}
	return out
}

// healthy counts the hosts that requests reach once all that fail have had the
// time to be noticed.
func healthy(s *scene, hosts []*actor) int {
	s.Helper()
	for range 30 * len(hosts) {
		s.get("http://reviews/")
	}
	reached := map[string]bool{}
	for range 30 * len(hosts) {
		if a := s.get("http://reviews/"); a.err == nil {
			reached[a.body] = true
		}
	}
	return len(reached)
}

func TestNeverMoreThanTheMaximumPercentAreOut(t *testing.T) {
	for _, c := range []struct {
		written    string
		hosts, out int
	}{
		{", maxEjectionPercent: 30", 10, 3},
		{", maxEjectionPercent: 39", 10, 3}, // what it would come to counts
		{", maxEjectionPercent: 50", 3, 1},
		{", maxEjectionPercent: 100", 4, 4},
		{", maxEjectionPercent: 10", 4, 0}, // written: few hosts, nobody
		{", maxEjectionPercent: 50", 1, 0},
		{"", 4, 1}, // not written: one always may
		{"", 1, 1},
		{"", 20, 2},
	} {
		t.Run(fmt.Sprintf("%d hosts%s", c.hosts, c.written), func(t *testing.T) {
			play(t, oneStrike(c.written), func(s *scene) {
				hosts := s.cast(c.hosts)
				for _, h := range hosts {
					h.plays(h.says(500))
				}
				if got, want := healthy(s, hosts), c.hosts-c.out; got != want {
					t.Errorf("%d of %d sick hosts are still asked, want %d", got, c.hosts, want)
				}
			})
		})
	}
}

func TestAnEjectionThatIsNotEnforcedIsTold(t *testing.T) {
	play(t, oneStrike(", maxEjectionPercent: 10"), func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(host.says(500))
		s.get("http://reviews/")
		if got := s.journal.events(host.Address()); len(got) != 1 || got[0] != breaker.NotEnforced {
			t.Errorf("events %v, want one that was not enforced", got)
		}
	})
}

func TestAllEjectedAndNoPanicRefusesAtOnce(t *testing.T) {
	documents := []string{policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1, maxEjectionPercent: 100}}")} // default retries
	play(t, documents, func(s *scene) {
		hosts := s.cast(3)
		for _, h := range hosts {
			h.plays(h.says(500))
		}
		healthy(s, hosts)
		began := time.Now()
		a := s.get("http://reviews/")
		s.refused(a, noHealthy, 503, "UH")
		s.took(began, 0)
	})
}

func TestBelowMinHealthPercentAllHostsAreUsed(t *testing.T) {
	play(t, oneStrike(", maxEjectionPercent: 100, minHealthPercent: 50"), func(s *scene) {
		hosts := s.cast(4)
		for i := range 3 {
			hosts[i].plays(hosts[i].says(500))
		}
		for range 400 {
			s.get("http://reviews/")
		}
		// The first two ejections leave 50 %, the third is below: a panic.
		for i, h := range hosts {
			before := h.heard()
			for range 100 {
				s.get("http://reviews/")
			}
			if h.heard() == before {
				t.Errorf("in a panic host %d gets nothing", i)
			}
		}
	})
}

func TestMinHealthPercentHoldsForOneHostToo(t *testing.T) {
	play(t, oneStrike(", minHealthPercent: 1"), func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(host.says(500))
		for range 20 {
			s.want(s.get("http://reviews/"), "500") // ejected, and used all the same
		}
	})
}

func TestAHostRemovedWhileEjectedComesBackAsNew(t *testing.T) {
	play(t, oneStrike(""), func(s *scene) {
		hosts := s.cast(2)
		hosts[0].plays(hosts[0].says(500))
		for hosts[0].heard() == 0 {
			s.get("http://reviews/")
		}
		address := hosts[0].Address()
		s.endpoints("reviews", hosts[1].Address())
		s.pass(0)
		s.endpoints("reviews", hosts[1].Address(), address)
		s.pass(0)
		hosts[0].plays(hosts[0].says(200))
		if got := healthy(s, hosts); got != 2 {
			t.Errorf("%d of 2 hosts are asked; the removed one should be back as new", got)
		}
		// The other may be ejected: the one that was removed does not count.
		hosts[1].plays(hosts[1].says(500))
		if got := healthy(s, hosts); got != 1 {
			t.Errorf("%d of 2 hosts are asked, want the well one alone", got)
		}
	})
}

func TestARemovedHostMakesRoomForAnotherEjection(t *testing.T) {
	play(t, oneStrike(""), func(s *scene) {
		hosts := s.cast(3)
		hosts[0].plays(hosts[0].says(500))
		for hosts[0].heard() == 0 {
			s.get("http://reviews/")
		}
		hosts[0].Withdraw()
		s.pass(0)
		hosts[1].plays(hosts[1].says(500))
		if got := healthy(s, hosts); got != 1 {
			t.Errorf("%d hosts are asked, want one", got)
		}
	})
}

func TestEditedRulesKeepEjections(t *testing.T) {
	play(t, oneStrike(""), func(s *scene) {
		host := s.start("reviews", "only")
		eject(s, host)
		host.plays(host.says(200))
		s.rule(policy("reviews", "{loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: {consecutive5xxErrors: 3, baseEjectionTime: 5s}}"),
			route("reviews", "retries: {attempts: 0}, timeout: 10s"))
		s.pass(30*time.Second - 1)
		s.want(s.get("http://reviews/"), noHealthy) // the time that it was given stands
		s.pass(1)
		s.want(s.get("http://reviews/"), "200")
	})
}

func TestEditedRulesKeepCounts(t *testing.T) {
	documents := func(n int) []string {
		return []string{policy("reviews", fmt.Sprintf("{outlierDetection: {consecutive5xxErrors: %d}}", n)), unretried("reviews")}
	}
	play(t, documents(5), func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(host.says(500))
		for range 4 {
			s.want(s.get("http://reviews/"), "500")
		}
		s.rule(documents(6)...)
		s.want(s.get("http://reviews/"), "500")
		s.want(s.get("http://reviews/"), "500")
		s.want(s.get("http://reviews/"), noHealthy)
	})
}

func TestHostsReturnWhenDetectionIsRemoved(t *testing.T) {
	play(t, oneStrike(""), func(s *scene) {
		host := s.start("reviews", "only")
		eject(s, host)
		s.rule(policy("reviews", "{loadBalancer: {simple: RANDOM}}"), unretried("reviews"))
		for range 10 {
			s.want(s.get("http://reviews/"), "500")
		}
		s.rule(oneStrike("")...)
		s.want(s.get("http://reviews/"), "500") // it starts from nothing
		s.want(s.get("http://reviews/"), noHealthy)
	})
}

func TestSubsetsEjectApart(t *testing.T) {
	subsets := "[{name: a, labels: {version: v1}}, {name: b, labels: {version: v1}}]"
	documents := []string{
		policyWith("reviews", "{outlierDetection: {consecutive5xxErrors: 1}}", subsets),
		routes("reviews", `[{match: [{uri: {prefix: /a}}], route: [{destination: {host: reviews, subset: a}}]},
		                    {route: [{destination: {host: reviews, subset: b}}]}]`),
	}
	play(t, documents, func(s *scene) {
		host := s.start("reviews", "only", "version", "v1")
		host.plays(host.says(500))
		s.want(s.get("http://reviews/a"), "500")
		s.want(s.get("http://reviews/a"), noHealthy)
		s.want(s.get("http://reviews/b"), "500")
	})
}
