package mesh_test

import (
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func pooled(settings string) []string {
	return []string{policy("reviews", "{connectionPool: "+settings+"}"), unretried("reviews")}
}

func (s *scene) connections(dials, open int) {
	s.Helper()
	synctest.Wait()
	if d, o := s.cables.counts(); d != dials || o != open {
		s.Errorf("%d connections were made and %d stand, want %d and %d", d, o, dials, open)
	}
}

func TestIdleConnectionsAreClosedWhenTheirTimeIsUp(t *testing.T) {
	for settings, idle := range map[string]time.Duration{
		"{http: {idleTimeout: 10s}}":                           10 * time.Second,
		"{tcp: {idleTimeout: 20s}}":                            20 * time.Second,
		"{tcp: {idleTimeout: 20s}, http: {idleTimeout: 5s}}":   5 * time.Second,
		"{http: {http2MaxRequests: 10}}":                       time.Hour,
		"{http: {idleTimeout: 10s, h2UpgradePolicy: UPGRADE}}": 10 * time.Second,
	} {
		play(t, pooled(settings), func(s *scene) {
			s.start("reviews", "only")
			s.want(s.get("http://reviews/"), "200")
			s.pass(idle - time.Second)
			if _, open := s.cables.counts(); open != 1 {
				t.Errorf("%s: %d connections stand a second before their time", settings, open)
			}
			s.pass(time.Second)
			if _, open := s.cables.counts(); open != 0 {
				t.Errorf("%s: %d connections stand after %v", settings, open, idle)
			}
			s.want(s.get("http://reviews/"), "200")
		})
	}
}

func TestIdleConnectionsMayStayForEver(t *testing.T) {
	play(t, pooled("{tcp: {idleTimeout: 0s}}"), func(s *scene) {
		s.start("reviews", "only")
		s.want(s.get("http://reviews/"), "200")
		s.pass(1000 * time.Hour)
		s.connections(1, 1)
	})
}

func TestAnOldConnectionIsDrained(t *testing.T) {
	play(t, pooled("{tcp: {maxConnectionDuration: 10s}}"), func(s *scene) {
		host := s.start("reviews", "only")
		for range 5 {
			s.want(s.get("http://reviews/"), "200")
			s.pass(time.Second)
		}
		s.connections(1, 1)
		host.plays(later(20*time.Second, host.says(200)))
		s.want(s.get("http://reviews/"), "200") // of age meanwhile, and it finishes
		host.plays(host.says(200))
		s.want(s.get("http://reviews/"), "200") // the last on the old one, or the first on a new one
		s.want(s.get("http://reviews/"), "200")
		s.connections(2, 1)
	})
}

func TestAConnectionCarriesItsNumberOfRequests(t *testing.T) {
	for _, c := range []struct {
		limit    string
		requests int
		dials    int
	}{{"1", 5, 5}, {"3", 9, 3}, {"3", 10, 4}, {"0", 50, 1}} {
		play(t, pooled("{http: {maxRequestsPerConnection: "+c.limit+"}}"), func(s *scene) {
			host := s.start("reviews", "only")
			for range c.requests {
				s.want(s.post("http://reviews/", "text"), "200")
				synctest.Wait()
			}
			if dials, _ := s.cables.counts(); dials != c.dials || host.heard() != c.requests {
				t.Errorf("limit %s: %d connections for %d requests, want %d", c.limit, dials, c.requests, c.dials)
			}
		})
	}
}

func TestConnectionsCarryTheirNumberUnderLoad(t *testing.T) {
	play(t, pooled("{http: {maxRequestsPerConnection: 4}}"), func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Second, host.says(200)))
		for range 8 {
			for _, a := range s.crowd(5) {
				s.want(<-a, "200")
			}
			synctest.Wait()
		}
		s.connections(10, 0)
	})
}

func TestConnectTimeout(t *testing.T) {
	for settings, limit := range map[string]time.Duration{
		"{tcp: {connectTimeout: 2s}}":                                   2 * time.Second,
		"{http: {http2MaxRequests: 10}}":                                10 * time.Second,
		"{tcp: {connectTimeout: 2s}, http: {h2UpgradePolicy: UPGRADE}}": 2 * time.Second,
	} {
		play(t, pooled(settings), func(s *scene) {
			s.start("reviews", "only").Silence()
			began := time.Now()
			crowd := s.crowd(3)
			for _, a := range crowd {
				s.refused(<-a, "connect failure", 503, "UF")
			}
			s.took(began, limit)
		})
	}
}

func TestARefusedConnectionSaysSo(t *testing.T) {
	for _, settings := range []string{"{http: {http2MaxRequests: 10}}", "{http: {h2UpgradePolicy: UPGRADE}}"} {
		play(t, pooled(settings), func(s *scene) {
			host := s.start("reviews", "only")
			host.Refuse()
			a := s.get("http://reviews/")
			s.refused(a, "connect failure", 503, "UF")
			if !errors.Is(a.err, syscall.ECONNREFUSED) {
				t.Errorf("%v does not say why", a.err)
			}
			host.Recover()
			s.want(s.get("http://reviews/"), "200")
		})
	}
}

func TestTheCallersTimeIsShorterThanTheConnectTimeout(t *testing.T) {
	for _, settings := range []string{"{http: {http2MaxRequests: 10}}", "{http: {h2UpgradePolicy: UPGRADE}}"} {
		play(t, pooled(settings), func(s *scene) {
			s.start("reviews", "only").Silence()
			patient := s.begin("http://reviews/")
			began := time.Now()
			s.refused(s.cancelled(time.Second, "http://reviews/"), "cancelled by the caller", 499, "DC")
			s.refused(s.getWithin(time.Second, "http://reviews/"), "timeout", 504, "UT")
			s.took(began, 2*time.Second)
			s.want(<-patient, "connect failure")
			s.took(began, 10*time.Second)
		})
	}
}

func TestAChangedConnectionPolicyIsForNewConnections(t *testing.T) {
	play(t, pooled("{http: {idleTimeout: 1h}}"), func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Minute, host.says(200)))
		under := s.begin("http://reviews/")
		s.rule(pooled("{http: {idleTimeout: 10s}}")...)
		host.plays(host.says(200))
		s.want(s.get("http://reviews/"), "200")
		s.pass(10 * time.Second)
		s.connections(2, 1) // the one under way
		s.want(<-under, "200")
		s.connections(2, 0)
	})
}

func TestAConnectionThatTheHostClosedIsReplaced(t *testing.T) {
	play(t, nil, func(s *scene) {
		host := s.start("reviews", "only")
		s.want(s.get("http://reviews/"), "200")
		host.Refuse() // breaks what stands
		host.Recover()
		s.pass(0)
		s.want(s.post("http://reviews/", "text"), "200")
		s.connections(2, 1)
	})
}

func TestAStaleConnectionIsNoReasonToFailWhatMayBeExecutedTwice(t *testing.T) {
	play(t, nil, func(s *scene) {
		host := s.start("reviews", "only")
		for range 20 {
			s.want(s.get("http://reviews/"), "200")
			synctest.Wait()
			host.Refuse() // what stands breaks, and nobody has noticed yet
			host.Recover()
			s.want(s.get("http://reviews/"), "200")
		}
	})
}

// An address that discovery has taken away may be somebody else's tomorrow.
func TestNoConnectionStaysToAHostThatIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		policy                  string
		idle, dials, busy, last int
	}{
		"HTTP/1.1": {"{http: {http2MaxRequests: 100}}", 2, 2, 4, 2},
		"HTTP/2":   {upgradePolicy, 2, 4, 2, 1}, // a dial more for each, to find out
	} {
		t.Run(name, func(t *testing.T) {
			play(t, []string{unretried("reviews"), policy("reviews", "{connectionPool: "+c.policy+"}")}, func(s *scene) {
				host, other := s.start("reviews", "gone"), s.start("reviews", "stays")
				host.plays(later(10*time.Second, host.says(200)))
				other.plays(later(10*time.Second, other.says(200)))
				idle := []<-chan answer{s.begin("http://reviews/"), s.begin("http://reviews/")}
				for _, a := range idle {
					s.want(<-a, "200")
				}
				s.connections(c.dials, c.idle)
				busy := []<-chan answer{s.begin("http://reviews/"), s.begin("http://reviews/"), s.begin("http://reviews/"), s.begin("http://reviews/")}
				s.pass(time.Second)
				dials := c.dials + c.busy - c.idle
				s.connections(dials, c.busy)
				s.endpoints("reviews", other.Address())
				s.connections(dials, c.busy) // what is under way finishes
				for _, a := range busy {
					s.want(<-a, "200")
				}
				s.pass(time.Second)
				s.connections(dials, c.last)
			})
		})
	}
}
