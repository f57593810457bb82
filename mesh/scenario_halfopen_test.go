package mesh_test

import (
	"slices"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
)

// eject makes the only host of reviews fail until it is out, by rules that take
// one failure for it.
func eject(s *scene, host *actor) {
	s.Helper()
	host.plays(host.says(500))
	s.want(s.get("http://reviews/"), "500")
	s.want(s.get("http://reviews/"), noHealthy)
}

func oneStrike(more string) []string {
	return []string{policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1, baseEjectionTime: 30s"+more+"}}"), unretried("reviews")}
}

func TestOneProbeAloneBringsAHostBack(t *testing.T) {
	play(t, oneStrike(""), func(s *scene) {
		host := s.start("reviews", "only")
		eject(s, host)
		s.pass(30 * time.Second)
		before := host.heard()
		host.plays(later(time.Second, host.says(200)))
		probe := s.begin("http://reviews/")
		for range 20 {
			s.want(s.get("http://reviews/"), noHealthy)
		}
		if got := host.heard() - before; got != 1 {
			t.Errorf("%d requests reached a host that is being probed, want the probe alone", got)
		}
		s.want(<-probe, "200")
		s.want(s.get("http://reviews/"), "200")
		want := []breaker.Kind{breaker.Ejected, breaker.HalfOpened, breaker.Readmitted}
		if got := s.journal.events(host.Address()); !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
	})
}

func TestAHostIsProbedInItsTurn(t *testing.T) {
	play(t, oneStrike("}, loadBalancer: {simple: ROUND_ROBIN"), func(s *scene) {
		sick, well := s.start("reviews", "sick"), s.start("reviews", "well")
		sick.plays(sick.says(500))
		for sick.heard() == 0 {
			s.get("http://reviews/")
		}
		s.pass(30 * time.Second)
		sick.plays(sick.says(200))
		before := well.heard()
		for range 4 {
			s.want(s.get("http://reviews/"), "200")
		}
		if sick.heard()-1 != 2 || well.heard()-before != 2 {
			t.Errorf("the host that was probed got %d of 4 requests, the other %d", sick.heard()-1, well.heard()-before)
		}
	})
}

func TestOthersServeWhileAHostIsProbed(t *testing.T) {
	play(t, oneStrike(""), func(s *scene) {
		sick, well := s.start("reviews", "sick"), s.start("reviews", "well")
		sick.plays(sick.says(500))
		for sick.heard() == 0 {
			s.get("http://reviews/")
		}
		s.pass(30 * time.Second)
		sick.plays(later(time.Hour, sick.says(200)))
		var probes []<-chan answer
		for range 50 {
			probes = append(probes, s.begin("http://reviews/"))
		}
		if sick.heard() != 2 || well.heard() < 49 {
			t.Errorf("the host in question got %d requests after its ejection, want its probe alone", sick.heard()-1)
		}
		for _, p := range probes {
			s.want(<-p, "200")
		}
	})
}

func TestAProbeThatTheCallerGivesUpLeavesRoomForAnother(t *testing.T) {
	play(t, oneStrike(""), func(s *scene) {
		host := s.start("reviews", "only")
		eject(s, host)
		s.pass(30 * time.Second)
		host.plays(later(time.Hour, host.says(200)))
		s.want(s.cancelled(time.Second, "http://reviews/"), "cancelled by the caller")
		host.plays(host.says(200))
		s.want(s.get("http://reviews/"), "200")
	})
}

func TestAProbeGivenUpAfterAnEditLeavesRoomForAnother(t *testing.T) {
	play(t, oneStrike(""), func(s *scene) {
		host := s.start("reviews", "only")
		eject(s, host)
		s.pass(30 * time.Second)
		host.plays(later(time.Hour, host.says(200)))
		time.AfterFunc(time.Second, func() { _ = s.rules.Update(oneStrike(", interval: 5s")...) })
		s.want(s.cancelled(2*time.Second, "http://reviews/"), "cancelled by the caller")
		host.plays(host.says(200))
		s.want(s.get("http://reviews/"), "200")
	})
}

func TestAProbeThatHangsIsGivenUpAfterTheBaseTime(t *testing.T) {
	play(t, oneStrike(""), func(s *scene) {
		host := s.start("reviews", "only")
		eject(s, host)
		s.pass(30 * time.Second)
		host.plays(later(time.Hour, host.says(200)))
		hung := s.begin("http://reviews/")
		host.plays(host.says(200))
		s.pass(30*time.Second - 1)
		s.want(s.get("http://reviews/"), noHealthy)
		s.pass(1)
		s.want(s.get("http://reviews/"), "200")
		s.want(<-hung, "200")
	})
}

func TestAnUnansweredConnectionIsAProbeThatFails(t *testing.T) {
	play(t, oneStrike(""), func(s *scene) {
		host := s.start("reviews", "only")
		eject(s, host)
		s.pass(30 * time.Second)
		host.Silence()
		s.want(s.get("http://reviews/"), "connect failure") // after the connect timeout
		host.Recover()
		host.plays(host.says(200))
		s.want(s.get("http://reviews/"), noHealthy)
		s.pass(time.Minute)
		s.want(s.get("http://reviews/"), "200")
	})
}

func TestWhatWasSentBeforeAnEjectionDoesNotDecideAboutIt(t *testing.T) {
	play(t, oneStrike(""), func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(10*time.Second, host.says(200)))
		good := s.begin("http://reviews/")
		host.plays(later(35*time.Second, host.says(500)))
		bad := s.begin("http://reviews/")
		eject(s, host)
		s.want(<-good, "200")
		s.want(s.get("http://reviews/"), noHealthy) // the answer came too late to speak for the host
		s.pass(20 * time.Second)                    // half-open
		s.want(<-bad, "500")                        // and too late to speak against it
		host.plays(host.says(200))
		s.want(s.get("http://reviews/"), "200")
	})
}
