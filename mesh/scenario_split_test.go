package mesh_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// seedDocuments reads the two documents that every user of Istio has seen.
func seedDocuments(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, name := range []string{"reviews-destinationrule.yaml", "reviews-virtualservice.yaml"} {
		text, err := os.ReadFile(filepath.Join("rules", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	}
	return out
}

// binomial checks that a count of n lies within six standard deviations of its share.
func binomial(t *testing.T, what string, got, n int, share float64) {
	t.Helper()
	want, sigma := float64(n)*share, math.Sqrt(float64(n)*share*(1-share))
	if math.Abs(float64(got)-want) > 6*sigma {
		t.Errorf("%s: %d of %d, want %.0f ± %.0f", what, got, n, want, 6*sigma)
	}
}

func TestTheSeedRulesSplitNinetyToTen(t *testing.T) {
	const n = 20_000
	play(t, seedDocuments(t), func(s *scene) {
		s.start("reviews", "v1", "version", "v1")
		s.start("reviews", "v1", "version", "v1")
		s.start("reviews", "v2", "version", "v2")
		s.start("reviews", "v3", "version", "v3") // no rule names it
		s.share(100, "http://reviews/reviews/7")  // over the wire
		s.unwired()
		got := s.share(n, "http://reviews/reviews/7")
		binomial(t, "v1", got["v1"], n, 0.9)
		binomial(t, "v2", got["v2"], n, 0.1)
		if got["v3"] != 0 || len(s.mesh.Status().Rules.Warnings) == 0 {
			t.Errorf("got %v and no word of the subsets that the rules imply", got)
		}
	})
}

func TestASplitByWeightsThatDoNotSumToAHundred(t *testing.T) {
	const n = 6_000
	play(t, []string{routes("reviews", `[{route: [{destination: {host: reviews, subset: v1}, weight: 2},
		{destination: {host: reviews, subset: v2}, weight: 1}, {destination: {host: reviews, subset: v3}, weight: 0}]}]`)}, func(s *scene) {
		for _, v := range []string{"v1", "v2", "v3"} {
			s.start("reviews", v, "version", v)
		}
		s.unwired()
		got := s.share(n, "http://reviews/")
		binomial(t, "v1", got["v1"], n, 2.0/3)
		binomial(t, "v2", got["v2"], n, 1.0/3)
		if got["v3"] != 0 {
			t.Errorf("v3 weighs nothing and got %d", got["v3"])
		}
	})
}

func TestOneDestinationGetsEverythingWhateverItWeighs(t *testing.T) {
	play(t, []string{routes("reviews", `[{route: [{destination: {host: reviews, subset: v1}, weight: 0}]}]`)}, func(s *scene) {
		s.start("reviews", "v1", "version", "v1")
		s.start("reviews", "v2", "version", "v2")
		if got := s.share(50, "http://reviews/"); got["v1"] != 50 {
			t.Errorf("got %v", got)
		}
	})
}

func TestRetriesStayInTheArmThatWasChosen(t *testing.T) {
	const n = 500
	play(t, []string{routes("reviews", `[{retries: {attempts: 3, retryOn: 5xx, backoff: 1ms}, route: [
		{destination: {host: reviews, subset: v1}, weight: 50}, {destination: {host: reviews, subset: v2}, weight: 50}]}]`)}, func(s *scene) {
		s.start("reviews", "v1", "version", "v1")
		bad := s.start("reviews", "v2", "version", "v2")
		bad.plays(bad.says(503))
		failed := 0
		for range n {
			if a := s.get("http://reviews/"); a.status == 503 {
				failed++
			}
		}
		binomial(t, "failures", failed, n, 0.5)
		if bad.heard() != 4*failed {
			t.Errorf("%d tries for %d failures, want 4 each", bad.heard(), failed)
		}
	})
}

func TestAnUnknownSubsetFailsForItsShareAlone(t *testing.T) {
	const n = 2_000
	documents := []string{
		policyWith("reviews", "{loadBalancer: {simple: RANDOM}}", "[{name: v1, labels: {version: v1}}]"),
		routes("reviews", `[{route: [{destination: {host: reviews, subset: v1}, weight: 75}, {destination: {host: reviews, subset: v9}, weight: 25}]}]`),
	}
	play(t, documents, func(s *scene) {
		s.start("reviews", "v1", "version", "v1")
		s.unwired()
		missing := 0
		for range n {
			if a := s.get("http://reviews/"); a.err != nil {
				s.refused(a, "no such subset or port", 503, "NC")
				missing++
			}
		}
		binomial(t, "missing", missing, n, 0.25)
	})
}

func TestASubsetWithoutEndpointsIsRefused(t *testing.T) {
	documents := []string{
		policyWith("reviews", "{loadBalancer: {simple: RANDOM}}", "[{name: v9, labels: {version: v9}}]"),
		routes("reviews", `[{route: [{destination: {host: reviews, subset: v9}}]}]`),
	}
	play(t, documents, func(s *scene) {
		s.start("reviews", "v1", "version", "v1")
		s.refused(s.get("http://reviews/"), noHealthy, 503, "UH")
	})
}
