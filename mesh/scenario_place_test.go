package mesh_test

import (
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
)

// at parses a place, for a fleet that is spread.
func at(place string) discovery.Endpoint {
	l, _ := discovery.ParseLocality(place)
	return discovery.Endpoint{Locality: l}
}

func from(place string) func(*scene, *mesh.Config) {
	return func(_ *scene, cfg *mesh.Config) { cfg.Workload.Locality = at(place).Locality }
}

func TestTrafficStaysNearAndFailsOverByDistance(t *testing.T) {
	documents := []string{policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1, baseEjectionTime: 1h, maxEjectionPercent: 100}}"), unretried("reviews")}
	playWith(t, documents, from("eu/a/1"), func(s *scene) {
		places := []string{"eu/a/1", "eu/a/2", "eu/b/1", "us/a/1"}
		hosts := map[string]*actor{}
		for _, place := range places {
			hosts[place] = s.startEndpoint("reviews", place, at(place))
		}
		for _, place := range places {
			if got := s.share(20, "http://reviews/"); got[place] != 20 {
				t.Errorf("got %v, want the nearest that is left: %s", got, place)
			}
			hosts[place].plays(hosts[place].says(500))
			s.want(s.get("http://reviews/"), "500")
		}
		s.want(s.get("http://reviews/"), noHealthy)
	})
}

func TestWithoutOutlierDetectionAllPlacesAreEqual(t *testing.T) {
	const n = 2_000
	playWith(t, []string{policy("reviews", "{loadBalancer: {simple: RANDOM}}")}, from("eu/a/1"), func(s *scene) {
		for _, place := range []string{"eu/a/1", "us/a/1"} {
			s.startEndpoint("reviews", place, at(place))
		}
		s.unwired()
		binomial(t, "near", s.share(n, "http://reviews/")["eu/a/1"], n, 0.5)
	})
}

func TestAPlaceThatIsHalfWellKeepsItsPartOfTheTraffic(t *testing.T) {
	const n = 2_000
	documents := []string{policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1, baseEjectionTime: 1h, maxEjectionPercent: 100}, loadBalancer: {simple: RANDOM}}"), unretried("reviews")}
	playWith(t, documents, from("eu"), func(s *scene) {
		sick := s.startEndpoint("reviews", "eu", at("eu"))
		s.startEndpoint("reviews", "eu", at("eu"))
		s.startEndpoint("reviews", "us", at("us"))
		sick.plays(sick.says(500))
		for sick.heard() == 0 {
			s.get("http://reviews/")
		}
		s.unwired()
		binomial(t, "near", s.share(n, "http://reviews/")["eu"], n, 0.7) // 140 % of a half
	})
}

func TestDistributeFixesTheShares(t *testing.T) {
	const n = 4_000
	rule := policy("reviews", "{loadBalancer: {simple: RANDOM, localityLbSetting: {distribute: [{from: 'eu/*', to: {'eu/*': 80, 'us/*': 20}}]}}}")
	playWith(t, []string{rule}, from("eu/a"), func(s *scene) {
		for _, place := range []string{"eu/a", "us/a", "as/a"} {
			s.startEndpoint("reviews", place, at(place))
		}
		s.unwired()
		got := s.share(n, "http://reviews/")
		binomial(t, "eu", got["eu/a"], n, 0.8)
		binomial(t, "us", got["us/a"], n, 0.2)
		if got["as/a"] != 0 {
			t.Errorf("got %v; a place that is not listed gets nothing", got)
		}
	})
}

func TestRetriesMayLeaveThePlace(t *testing.T) {
	documents := []string{
		policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1000}}"),
		route("reviews", "retries: {attempts: 3, retryOn: 5xx, retryRemoteLocalities: true, backoff: 1ms}"),
	}
	playWith(t, documents, from("eu"), func(s *scene) {
		for range 3 {
			near := s.startEndpoint("reviews", "near", at("eu"))
			near.plays(near.says(503))
		}
		far := s.startEndpoint("reviews", "far", at("us"))
		for range 10 {
			if a := s.get("http://reviews/"); a.body != "far" {
				t.Errorf("got %v from %s", a, a.body)
			}
		}
		if tries := len(told(s.journal, &s.journal.retries)); far.heard() != 10 || tries != 20 {
			t.Errorf("%d requests and %d retries, want two tries at home for each", far.heard(), tries)
		}
	})
}

// Istio adds the place of an endpoint to its labels.
func TestASubsetMaySelectByPlace(t *testing.T) {
	documents := []string{
		policyWith("reviews", "{loadBalancer: {simple: RANDOM}}", `[{name: near, labels: {topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: a, topology.istio.io/subzone: "1"}},
			{name: nowhere, labels: {topology.kubernetes.io/region: as}}]`),
		routes("reviews", "[{match: [{uri: {prefix: /as}}], route: [{destination: {host: reviews, subset: nowhere}}]}, {route: [{destination: {host: reviews, subset: near}}]}]"),
	}
	play(t, documents, func(s *scene) {
		for _, place := range []string{"eu/a/1", "eu/a/2", "eu/b/1", "us/a/1", ""} {
			e := at(place)
			e.Labels = map[string]string{"topology.kubernetes.io/region": "eu"} // the place is believed before this
			s.startEndpoint("reviews", place, e)
		}
		if got := s.share(20, "http://reviews/"); got["eu/a/1"] != 20 {
			t.Errorf("got %v", got)
		}
		s.want(s.get("http://reviews/as"), noHealthy)
	})
}

// As in Envoy, all places that were tried are left, also where the first two tries
// were in two.
func TestRetriesLeaveAllPlacesThatWereTried(t *testing.T) {
	documents := []string{
		policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1000}, loadBalancer: {simple: RANDOM}}"),
		route("reviews", "retries: {attempts: 2, retryOn: 5xx, retryRemoteLocalities: true, retryIgnorePreviousHosts: false, backoff: 1ms}"),
	}
	playWith(t, documents, from("eu/a"), func(s *scene) {
		hosts := []*actor{}
		for _, place := range []string{"eu/a", "eu/a", "eu/b", "us"} {
			host := s.startEndpoint("reviews", place, at(place))
			host.plays(host.says(503))
			hosts = append(hosts, host)
		}
		down := at("eu/a")
		down.Health = discovery.Unhealthy
		for range 2 {
			s.startEndpoint("reviews", "down", down) // what is left takes 70 %
		}
		before := map[string]int{}
		for range 50 {
			tries, last := map[string]int{}, s.get("http://reviews/").body
			for _, host := range hosts {
				tries[host.name] += host.heard()
			}
			if n := tries[last] - before[last]; n != 1 {
				t.Errorf("the third try went to %s, where another was before", last)
			}
			before = tries
		}
	})
}

func TestANewHostWarmsUp(t *testing.T) {
	const n = 3_000
	rule := policy("reviews", "{loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 100s, minimumPercent: 10}}}")
	play(t, []string{rule}, func(s *scene) {
		s.start("reviews", "old")
		s.want(s.get("http://reviews/"), "200")
		s.pass(time.Hour)
		s.start("reviews", "new")
		s.pass(0)
		s.unwired()
		for _, c := range []struct {
			after  time.Duration
			factor float64
		}{{0, 0.1}, {30 * time.Second, 0.3}, {30 * time.Second, 0.6}, {40 * time.Second, 1}} {
			s.pass(c.after)
			binomial(t, c.after.String(), s.share(n, "http://reviews/")["new"], n, c.factor/(1+c.factor))
		}
	})
}

func TestWeightsOfEndpointsHold(t *testing.T) {
	const n = 4_000
	play(t, []string{policy("reviews", "{loadBalancer: {simple: ROUND_ROBIN}}")}, func(s *scene) {
		s.startEndpoint("reviews", "light", discovery.Endpoint{Weight: 1})
		heavy := s.startEndpoint("reviews", "heavy", discovery.Endpoint{Weight: 3})
		s.unwired()
		binomial(t, "heavy", s.share(n, "http://reviews/")["heavy"], n, 0.75)
		heavy.Describe(func(e *discovery.Endpoint) { e.Weight = 1 })
		s.pass(0)
		binomial(t, "heavy", s.share(n, "http://reviews/")["heavy"], n, 0.5)
	})
}

func TestLeastRequestKeepsAwayFromABusyHost(t *testing.T) {
	play(t, nil, func(s *scene) {
		slow, quick := s.start("reviews", "slow"), s.start("reviews", "quick")
		slow.plays(later(time.Hour, slow.says(200)))
		var stuck []<-chan answer
		for range 50 {
			stuck = append(stuck, s.begin("http://reviews/"))
		}
		if slow.heard() > 2 || quick.heard() < 48 {
			t.Errorf("the busy host got %d requests, the idle one %d", slow.heard(), quick.heard())
		}
		for _, a := range stuck {
			s.want(<-a, "200")
		}
	})
}
