package mesh_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
)

func TestAnEmptyAnswerDoesNotWipeAGoodSetAtOnce(t *testing.T) {
	for hold, stands := range map[time.Duration]time.Duration{0: 30 * time.Second, 5 * time.Second: 5 * time.Second} {
		configure := func(_ *scene, cfg *mesh.Config) { cfg.HoldEmpty = hold }
		playWith(t, nil, configure, func(s *scene) {
			host := s.start("reviews", "only")
			s.want(s.get("http://reviews/"), "200")
			host.Withdraw()
			s.pass(stands - time.Millisecond)
			s.want(s.get("http://reviews/"), "200")
			if told := told(s.journal, &s.journal.discovery); len(told) != 1 || told[0].Service != "reviews.default.svc.cluster.local" {
				t.Errorf("the observer heard %+v, want that a set is held", told)
			}
			s.pass(time.Millisecond)
			s.refused(s.get("http://reviews/"), noHealthy, 503, "UH")
			s.endpoints("reviews", host.Address())
			s.pass(0)
			s.want(s.get("http://reviews/"), "200")
		})
	}
}

func TestAnEmptyAnswerMayBeBelievedAtOnce(t *testing.T) {
	configure := func(_ *scene, cfg *mesh.Config) { cfg.HoldEmpty = -1 }
	playWith(t, nil, configure, func(s *scene) {
		host := s.start("reviews", "only")
		s.want(s.get("http://reviews/"), "200")
		host.Withdraw()
		s.pass(0)
		s.want(s.get("http://reviews/"), noHealthy)
	})
}

func TestAGoodAnswerEndsTheDoubt(t *testing.T) {
	play(t, nil, func(s *scene) {
		host := s.start("reviews", "only")
		s.want(s.get("http://reviews/"), "200")
		host.Withdraw()
		s.pass(20 * time.Second)
		s.endpoints("reviews", host.Address())
		s.pass(time.Hour)
		s.want(s.get("http://reviews/"), "200")
	})
}

func TestTroubleWithASourceKeepsTheLastGoodSet(t *testing.T) {
	var errs chan error
	configure := func(s *scene, cfg *mesh.Config) {
		errs = make(chan error)
		cfg.Discovery = troubled{s.fleet.Discovery(), errs}
	}
	playWith(t, nil, configure, func(s *scene) {
		s.start("reviews", "only")
		s.want(s.get("http://reviews/"), "200")
		trouble := errors.New("the registry does not answer")
		errs <- trouble
		s.pass(time.Hour)
		s.want(s.get("http://reviews/"), "200")
		if told := told(s.journal, &s.journal.discovery); len(told) != 1 || !errors.Is(told[0].Err, trouble) {
			t.Errorf("the observer heard %+v", told)
		}
	})
}

func TestTroubleBeforeAnyAnswerSaysWhatIsWrong(t *testing.T) {
	trouble := errors.New("the registry does not answer")
	configure := func(_ *scene, cfg *mesh.Config) { cfg.Discovery = troublesome{trouble} }
	playWith(t, []string{unretried("reviews")}, configure, func(s *scene) {
		began := time.Now()
		a := s.get("http://reviews/")
		s.refused(a, noHealthy, 503, "UH")
		s.took(began, 0)
		if !errors.Is(a.err, trouble) {
			t.Errorf("%v does not say why", a.err)
		}
	})
}

func TestAnUnknownServiceBecomesKnown(t *testing.T) {
	configure := func(_ *scene, cfg *mesh.Config) { cfg.OutboundPolicy = mesh.RegistryOnly }
	playWith(t, nil, configure, func(s *scene) {
		s.want(s.get("http://reviews/"), "no rule and no source knows the host")
		host := s.start("reviews", "only")
		s.pass(0)
		s.want(s.get("http://reviews/"), "200")
		s.fleet.Discovery().Remove("reviews")
		s.pass(time.Second)
		s.want(s.get("http://reviews/"), "200") // held
		s.pass(time.Minute)
		s.want(s.get("http://reviews/"), "no rule and no source knows the host")
		s.endpoints("reviews", host.Address())
		s.pass(0)
		s.want(s.get("http://reviews/"), "200")
	})
}

func TestARuledServiceBecomesKnown(t *testing.T) {
	play(t, []string{unretried("reviews")}, func(s *scene) {
		s.want(s.get("http://reviews/"), noHealthy)
		s.start("reviews", "only")
		s.pass(0)
		s.want(s.get("http://reviews/"), "200")
	})
}

func TestTheFirstRequestWaitsForTheFirstAnswer(t *testing.T) {
	configure := func(s *scene, cfg *mesh.Config) { cfg.Discovery = tardy{s.fleet.Discovery(), 3 * time.Second} }
	for _, documents := range [][]string{nil, {unretried("reviews")}} {
		playWith(t, documents, configure, func(s *scene) {
			s.start("reviews", "only")
			began := time.Now()
			all := s.crowd(5)
			for _, a := range all {
				s.want(<-a, "200")
			}
			s.took(began, 3*time.Second)
			s.want(s.get("http://reviews/"), "200")
			s.took(began, 3*time.Second)
		})
	}
}

func TestTheWaitForTheFirstAnswerIsBounded(t *testing.T) {
	configure := func(_ *scene, cfg *mesh.Config) { cfg.Discovery = mute{} }
	for _, documents := range [][]string{nil, {unretried("reviews")}} {
		playWith(t, documents, configure, func(s *scene) {
			began := time.Now()
			s.refused(s.getWithin(time.Second, "http://reviews/"), "timeout", 504, "UT")
			s.refused(s.cancelled(time.Second, "http://reviews/"), "cancelled by the caller", 499, "DC")
			s.took(began, 2*time.Second)
			s.refused(s.get("http://reviews/"), noHealthy, 503, "UH")
			s.took(began, 7*time.Second)
		})
	}
}

func TestHostsThatStayKeepTheirStateWhenOthersComeAndGo(t *testing.T) {
	play(t, oneStrike(""), func(s *scene) {
		sick := s.start("reviews", "sick")
		eject(s, sick)
		sick.plays(sick.says(200))
		for i, other := range s.cast(3) {
			s.pass(time.Second)
			if a := s.get("http://reviews/"); a.body == "sick" {
				t.Errorf("arrival %d brought an ejected host back", i)
			}
			if i == 1 {
				other.Withdraw()
			}
		}
		s.pass(30 * time.Second)
		if got := healthy(s, make([]*actor, 3)); got != 3 {
			t.Errorf("%d hosts are asked, want 3", got)
		}
	})
}

func TestADrainingHostGetsNothingNewAndFinishesWhatItHas(t *testing.T) {
	play(t, nil, func(s *scene) {
		old := s.start("reviews", "old")
		old.plays(later(time.Minute, old.says(200)))
		under := s.begin("http://reviews/")
		s.start("reviews", "new")
		old.Describe(func(e *discovery.Endpoint) { e.Health = discovery.Draining })
		s.pass(time.Second)
		if got := s.share(50, "http://reviews/"); got["old"] != 0 {
			t.Errorf("a draining host got %d new requests", got["old"])
		}
		if a := <-under; a.body != "old" || a.err != nil {
			t.Errorf("what it had ended in %v %v", a, a.err)
		}
	})
}

func TestAnUnhealthyHostGetsNothing(t *testing.T) {
	play(t, nil, func(s *scene) {
		host := s.start("reviews", "ill")
		s.start("reviews", "well")
		host.Describe(func(e *discovery.Endpoint) { e.Health = discovery.Unhealthy })
		s.pass(0)
		if got := s.share(50, "http://reviews/"); got["ill"] != 0 {
			t.Errorf("got %v", got)
		}
		host.Describe(func(e *discovery.Endpoint) { e.Health = discovery.Healthy })
		s.pass(0)
		if got := s.share(50, "http://reviews/"); got["ill"] == 0 {
			t.Errorf("got %v after it was healthy again", got)
		}
	})
}

func TestOneWatchServesAllSubsetsOfAService(t *testing.T) {
	var counted *counting
	configure := func(s *scene, cfg *mesh.Config) {
		counted = &counting{Source: s.fleet.Discovery()}
		cfg.Discovery = counted
	}
	playWith(t, seedDocuments(t), configure, func(s *scene) {
		s.start("reviews", "v1", "version", "v1")
		s.start("reviews", "v2", "version", "v2")
		s.share(50, "http://reviews/")
		s.share(50, "http://reviews.default/")
		if got := counted.watches.Load(); got != 1 {
			t.Errorf("%d watches, want one", got)
		}
		_ = s.mesh.Close()
		synctest.Wait()
		if got := counted.ended.Load(); got != 1 {
			t.Errorf("%d watches ended with the mesh, want one", got)
		}
	})
}

func TestASourceThatEndsIsStartedAgain(t *testing.T) {
	configure := func(s *scene, cfg *mesh.Config) { cfg.Discovery = ending{s.fleet.Discovery()} }
	playWith(t, nil, configure, func(s *scene) {
		first := s.start("reviews", "first")
		s.want(s.get("http://reviews/"), "200")
		s.pass(time.Second)
		s.want(s.get("http://reviews/"), "200")
		second := s.start("reviews", "second")
		first.Withdraw()
		s.pass(5 * time.Minute)
		if got := s.share(20, "http://reviews/"); got["second"] != 20 {
			t.Errorf("got %v, %s is the only one", got, second.Address())
		}
	})
}

// workload is a WorkloadEntry at one of the fleet's addresses.
func workload(name, address, version string) string {
	return `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: ` + name + `}
spec: {address: ` + address + `, labels: {app: reviews, version: ` + version + `}}
`
}

func TestWorkloadEntriesAreTheEndpointsOfTheEntryThatSelectsThem(t *testing.T) {
	split := routes("reviews", "[{match: [{uri: {prefix: /v2}}], route: [{destination: {host: reviews, subset: v2}}]}, {route: [{destination: {host: reviews, subset: v1}}]}]")
	play(t, []string{selecting, split, workload("one", "10.0.0.1", "v1")}, func(s *scene) {
		s.start("elsewhere", "one")
		s.start("elsewhere", "two")
		s.want(s.get("http://reviews/"), "200")
		s.want(s.get("http://reviews/v2"), noHealthy)
		s.rule(selecting, split, workload("one", "10.0.0.1", "v1"), workload("two", "10.0.0.2", "v2"))
		if a := s.get("http://reviews/v2"); a.body != "two" {
			t.Errorf("got %v %q", a, a.body)
		}
		s.rule(selecting, split, workload("two", "10.0.0.2", "v2"))
		s.want(s.get("http://reviews/"), noHealthy) // a rule means what it says: nothing is held
		s.want(s.get("http://reviews/v2"), "200")
	})
}
