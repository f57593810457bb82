package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestAThousandEditsUnderLoadFailNoRequestAndDropNoConnection(t *testing.T) {
	const edits, callers = 1_000, 8
	edition := func(i int) []string {
		return []string{
			policyWith("reviews", fmt.Sprintf("{loadBalancer: {simple: %s}, connectionPool: {http: {http2MaxRequests: %d}}, outlierDetection: {consecutive5xxErrors: %d}}",
				[]string{"RANDOM", "ROUND_ROBIN", "LEAST_REQUEST"}[i%3], 100+i, 5+i), "[{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]"),
			routes("reviews", fmt.Sprintf(`[{timeout: %ds, retries: {attempts: %d}, route: [
				{destination: {host: reviews, subset: v1}, weight: %d}, {destination: {host: reviews, subset: v2}, weight: 50}]}]`, 10+i, i%3, 1+i%100)),
		}
	}
	play(t, edition(0), func(s *scene) {
		for _, v := range []string{"v1", "v2"} {
			host := s.start("reviews", v, "version", v)
			host.plays(later(time.Millisecond, host.says(200)))
		}
		ctx, stop := context.WithCancel(s.Context())
		var load sync.WaitGroup
		served := make([]int, callers)
		for c := range callers {
			load.Go(func() {
				for ; ctx.Err() == nil; served[c]++ {
					if a := s.get("http://reviews/"); a.err != nil || a.status != 200 {
						t.Errorf("got %v %v", a, a.err)
						return
					}
				}
			})
		}
		for i := range edits {
			if err := s.rules.Update(edition(i)...); err != nil {
				t.Fatal(err)
			}
			<-time.After(500 * time.Microsecond)
		}
		stop()
		load.Wait()
		synctest.Wait()
		total := 0
		for _, n := range served {
			total += n
		}
		// Each caller needs one connection to each host at the most, ever.
		if dials, open := s.cables.counts(); dials > 2*callers || open != dials || total < edits {
			t.Errorf("%d requests made %d connections, %d stand", total, dials, open)
		}
		if got := len(told(s.journal, &s.journal.rules)); got < edits/2 {
			t.Errorf("%d editions came into force", got)
		}
	})
}

func TestARequestUnderWayEndsByTheRulesItBeganWith(t *testing.T) {
	play(t, []string{route("reviews", "timeout: 10s, headers: {response: {set: {X-Rules: first}}}")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(5*time.Second, host.says(200)))
		under := s.begin("http://reviews/")
		s.rule(route("reviews", "timeout: 1s, headers: {response: {set: {X-Rules: second}}}"))
		s.want(s.get("http://reviews/"), "timeout")
		if a := <-under; a.status != 200 || a.header.Get("X-Rules") != "first" {
			t.Errorf("got %v by the rules of %q", a, a.header.Get("X-Rules"))
		}
	})
}

func TestBadRulesLeaveTheLastGoodOnesInForce(t *testing.T) {
	good := route("reviews", "headers: {response: {set: {X-Rules: good}}}")
	play(t, []string{good}, func(s *scene) {
		s.start("reviews", "only")
		before := s.mesh.Status().Rules
		for i, bad := range []string{
			route("reviews", "timeout: 0s"),
			route("reviews", "timeoutt: 1s"),
			"kind: [",
			routes("reviews", "[{route: [{destination: {host: reviews}, weight: -1}]}]"),
		} {
			err := s.rules.Update(bad)
			synctest.Wait()
			if err == nil {
				t.Fatalf("%q is no error", bad)
			}
			if a := s.get("http://reviews/"); a.header.Get("X-Rules") != "good" {
				t.Errorf("got %v %v after %q", a, a.header, bad)
			}
			status := s.mesh.Status().Rules
			if status.Rejected != i+1 || status.Err == nil || status.Version != before.Version || status.Objects != 1 {
				t.Errorf("status after %q: %+v", bad, status)
			}
			if heard := told(s.journal, &s.journal.rules); heard[len(heard)-1].Err == nil {
				t.Errorf("the observer was not told of %q", bad)
			}
		}
		s.rule(route("reviews", "headers: {response: {set: {X-Rules: better}}}"))
		if a := s.get("http://reviews/"); a.header.Get("X-Rules") != "better" {
			t.Errorf("got %v", a.header)
		}
		if status := s.mesh.Status().Rules; status.Err != nil || status.Rejected != 4 || status.Version == before.Version {
			t.Errorf("status %+v", status)
		}
	})
}

func TestBadRulesAtTheStartAreAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := mesh.New(t.Context(), mesh.Config{Rules: rules.Static(route("reviews", "timeout: 0s"))})
		if err == nil {
			_ = m.Close()
			t.Fatal("no error")
		}
		var faults rules.Faults
		if !errors.As(err, &faults) || len(faults) != 1 {
			t.Errorf("got %T %v, want the one fault", err, err)
		}
	})
}

func TestARuleThatIsRemovedLeavesTheDefaultRoute(t *testing.T) {
	play(t, []string{routes("reviews", "[{directResponse: {status: 418}}]")}, func(s *scene) {
		s.start("reviews", "only")
		s.want(s.get("http://reviews/"), "418")
		s.rule()
		s.want(s.get("http://reviews/"), "200")
		if last := s.journal.last(); last.Rule != "" || last.Route != "default" {
			t.Errorf("the observer heard %+v", last)
		}
		if status := s.mesh.Status().Rules; status.Objects != 0 {
			t.Errorf("status %+v", status)
		}
	})
}

func TestASubsetMayBeAddedWhileItIsReferredTo(t *testing.T) {
	subset := "[{name: v1, labels: {version: v1}}]"
	to := func(name string) string {
		return routes("reviews", "[{route: [{destination: {host: reviews, subset: "+name+"}}]}]")
	}
	play(t, []string{policyWith("reviews", "{loadBalancer: {simple: RANDOM}}", subset), to("v2")}, func(s *scene) {
		s.start("reviews", "v1", "version", "v1")
		s.start("reviews", "v2", "version", "v2")
		s.want(s.get("http://reviews/"), "no such subset or port")
		s.rule(policyWith("reviews", "{loadBalancer: {simple: RANDOM}}", "[{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]"), to("v2"))
		if a := s.get("http://reviews/"); a.body != "v2" {
			t.Errorf("got %v %q", a, a.body)
		}
		s.rule(policyWith("reviews", "{loadBalancer: {simple: RANDOM}}", subset), to("v1"))
		if a := s.get("http://reviews/"); a.body != "v1" {
			t.Errorf("got %v %q", a, a.body)
		}
		s.rule(policyWith("reviews", "{loadBalancer: {simple: RANDOM}}", subset), to("v2"))
		s.want(s.get("http://reviews/"), "no such subset or port")
	})
}

func TestTheOrderInWhichRulesComeDoesNotMatter(t *testing.T) {
	dr := policyWith("reviews", "{loadBalancer: {simple: RANDOM}}", "[{name: canary, labels: {version: v2}}]")
	vs := routes("reviews", "[{route: [{destination: {host: reviews, subset: canary}}]}]")
	for _, order := range [][]string{{dr, vs}, {vs, dr}} {
		play(t, nil, func(s *scene) {
			s.start("reviews", "v2", "version", "v2")
			s.start("reviews", "v1", "version", "v1")
			s.want(s.get("http://reviews/"), "200")
			s.rule(order...)
			for range 20 {
				if a := s.get("http://reviews/"); a.body != "v2" {
					t.Fatalf("got %v %q", a, a.body)
				}
			}
		})
	}
}

func TestAPolicyThatComesLaterHoldsForClustersInUse(t *testing.T) {
	play(t, nil, func(s *scene) {
		host := s.start("reviews", "only")
		s.want(s.get("http://reviews/"), "200")
		host.plays(later(time.Second, host.says(200)))
		s.rule(policy("reviews", "{connectionPool: {http: {http2MaxRequests: 1}}}"))
		under := s.begin("http://reviews/")
		s.want(s.get("http://reviews/"), overflow)
		s.want(<-under, "200")
		s.rule()
		all := s.crowd(5)
		for _, a := range all {
			s.want(<-a, "200")
		}
	})
}

func TestChangedLabelsOfASubsetMoveItsTraffic(t *testing.T) {
	rule := func(version string) []string {
		return []string{
			policyWith("reviews", "{loadBalancer: {simple: RANDOM}}", "[{name: stable, labels: {version: "+version+"}}]"),
			routes("reviews", "[{route: [{destination: {host: reviews, subset: stable}}]}]"),
		}
	}
	play(t, rule("v1"), func(s *scene) {
		s.start("reviews", "v1", "version", "v1")
		s.start("reviews", "v2", "version", "v2")
		for _, v := range []string{"v1", "v2", "v1"} {
			s.rule(rule(v)...)
			for range 10 {
				if a := s.get("http://reviews/"); a.body != v {
					t.Fatalf("got %v %q, the subset is %s now", a, a.body, v)
				}
			}
		}
	})
}

func TestAClusterThatComesToLifeDuringAnEditHasTheNewPolicy(t *testing.T) {
	entry := `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ratings}
spec:
  hosts: [ratings]
  ports: [{number: 80, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1}]
`
	var leave chan struct{} // of the bubble's own making
	configure := func(s *scene, cfg *mesh.Config) {
		leave = make(chan struct{})
		cfg.Discovery = clinging{s.fleet.Discovery(), "ratings", leave}
	}
	playWith(t, nil, configure, func(s *scene) {
		s.start("ratings", "ratings")
		host := s.start("reviews", "only")
		s.want(s.get("http://ratings/"), "200")
		host.plays(later(time.Second, host.says(200)))
		// The edit cannot end before the watch that it replaces has ended.
		if err := s.rules.Update(entry, policy("reviews", "{connectionPool: {http: {http2MaxRequests: 1}}}")); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		s.want(s.get("http://reviews/"), "200") // the cluster's first request
		close(leave)
		synctest.Wait()
		under := s.begin("http://reviews/")
		s.want(s.get("http://reviews/"), overflow)
		s.want(<-under, "200")
	})
}
