package mesh_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh"
)

// selecting is a ServiceEntry of the workloads that have the label, be there none.
const selecting = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: reviews}
spec:
  hosts: [reviews]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  workloadSelector: {labels: {app: reviews}}
`

// Where nobody was known before, there is nothing to stand until a new source has said
// its first word: the calls wait for that, as for that of any source.
func TestASourceThatTakesOverFromNobodyIsWaitedFor(t *testing.T) {
	configure := func(s *scene, cfg *mesh.Config) { cfg.Discovery = tardy{s.fleet.Discovery(), 3 * time.Second} }
	playWith(t, []string{selecting, unretried("reviews")}, configure, func(s *scene) {
		s.start("reviews", "only")
		s.want(s.get("http://reviews:80/"), noHealthy)
		s.rule(unretried("reviews"))
		began := time.Now()
		for _, a := range []<-chan answer{s.begin("http://reviews:80/"), s.begin("http://reviews:80/")} {
			s.want(<-a, "200")
		}
		s.took(began, 3*time.Second)
	})
}

// One who waits while the source changes waits for the new one.
func TestACallThatWaitsForASourceGoesByTheOneThatTakesItsPlace(t *testing.T) {
	configure := func(_ *scene, cfg *mesh.Config) { cfg.Discovery = mute{} }
	playWith(t, []string{unretried("reviews")}, configure, func(s *scene) {
		s.start("elsewhere", "one")
		began := time.Now()
		a := s.begin("http://reviews:80/")
		s.rule(selecting, unretried("reviews"), workload("one", "10.0.0.1", "v1"))
		s.want(<-a, "200")
		s.took(began, 0)
	})
}

// Where the rules know a cluster no more nobody asks who its endpoints are: a call that
// waits for that would wait in vain.
func TestACallDoesNotWaitForEndpointsThatNobodyAsksForAnyMore(t *testing.T) {
	const v1, v2 = "[{name: v1, labels: {version: v1}}]", "[{name: v2, labels: {version: v2}}]"
	subset := func(name string) string {
		return routes("reviews", "[{route: [{destination: {host: reviews, subset: "+name+"}}], retries: {attempts: 0}}]")
	}
	for name, end := range map[string]func(*scene){
		"rules": func(s *scene) { s.rule(policyWith("reviews", "{loadBalancer: {simple: RANDOM}}", v2), subset("v2")) },
		"mesh":  func(s *scene) { _ = s.mesh.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			configure := func(_ *scene, cfg *mesh.Config) { cfg.Discovery = mute{} }
			playWith(t, []string{policyWith("reviews", "{loadBalancer: {simple: RANDOM}}", v1), subset("v1")}, configure, func(s *scene) {
				began := time.Now()
				a := s.begin("http://reviews/")
				s.pass(time.Second)
				end(s)
				s.refused(<-a, noHealthy, 503, "UH")
				s.took(began, time.Second)
			})
		})
	}
}

// An edit that changes the labels of endpoints and those of the subsets that want them
// takes nobody out of any subset, not for a moment: who leaves is forgotten.
func TestEndpointsAndSubsetsThatChangeTheirLabelsTogetherForgetNothing(t *testing.T) {
	const strike = "{outlierDetection: {consecutive5xxErrors: 1, baseEjectionTime: 30s, maxEjectionPercent: 100}}"
	documents := func(version string) []string {
		label := "labels: {version: " + version + "}"
		return []string{
			selecting, workload("one", "10.0.0.1", version),
			policyWith("reviews", strike, "[{name: a, "+label+"}, {name: b, "+label+"}, {name: c, "+label+"}]"),
			routes("reviews", "[{match: [{uri: {prefix: /a}}], route: [{destination: {host: reviews, subset: a}}], retries: {attempts: 0}},"+
				"{match: [{uri: {prefix: /b}}], route: [{destination: {host: reviews, subset: b}}], retries: {attempts: 0}},"+
				"{route: [{destination: {host: reviews, subset: c}}], retries: {attempts: 0}}]"),
		}
	}
	play(t, documents("v1"), func(s *scene) {
		host := s.start("elsewhere", "one")
		host.plays(host.says(500))
		paths := []string{"a", "b", "c"}
		for _, p := range paths {
			s.want(s.get("http://reviews/"+p), "500")
		}
		host.plays(host.says(200))
		s.rule(documents("v2")...)
		for _, p := range paths {
			s.want(s.get("http://reviews/"+p), noHealthy)
		}
		s.pass(30 * time.Second)
		for _, p := range paths {
			s.want(s.get("http://reviews/"+p), "200")
		}
	})
}

// A service whose names are those of workloads may have none.
func TestAServiceOfNoNamesIsNotWaitedFor(t *testing.T) {
	play(t, []string{strings.Replace(selecting, "STATIC", "DNS", 1), unretried("reviews")}, func(s *scene) {
		began := time.Now()
		s.refused(s.get("http://reviews/"), noHealthy, 503, "UH")
		s.took(began, 0)
	})
}

func TestObserversHearOfHostsThatAreBackForNobodyDetectsOutliersAnyMore(t *testing.T) {
	play(t, oneStrike(""), func(s *scene) {
		host := s.start("reviews", "only")
		eject(s, host)
		host.plays(host.says(200))
		s.rule(unretried("reviews"))
		s.want(s.get("http://reviews/"), "200")
		want := []breaker.Kind{breaker.Ejected, breaker.Readmitted}
		if got := s.journal.events(host.Address()); !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
		s.rule(oneStrike("")...)
		s.pass(time.Hour) // no timer of the old ejection is left
		if got := s.journal.events(host.Address()); !slices.Equal(got, want) {
			t.Errorf("events %v, want %v", got, want)
		}
	})
}
