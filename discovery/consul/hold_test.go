package consul_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

const rulesInKV = "/v1/kv/inmesh/"

func pairs(pairs ...*api.KVPair) scripted { return scripted{body: pairs} }

func subsets() *api.KVPair {
	return &api.KVPair{Key: "inmesh/default/DestinationRule/reviews", Value: []byte(reviewsSubsets)}
}

// pull watches quiet rules, until the test ends.
func pull(t *testing.T, s *script) func() (*rules.Set, error, bool) {
	ctx, cancel := context.WithCancel(t.Context())
	source := consul.NewRules(s.client(t), consul.RulesConfig{Prefix: "/inmesh/", Quiet: true})
	next, stop := iter.Pull2(source.Watch(ctx))
	t.Cleanup(func() { cancel(); stop() })
	return next
}

func TestRulesThatAreAllGoneStandForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say(rulesInKV, pairs(subsets(), &api.KVPair{Key: "inmesh/default/"}))
		next := pull(t, s)
		if set, err, _ := next(); err != nil || len(set.DestinationRules) != 1 {
			t.Fatalf("got %v, %v", set, err)
		}
		s.say(rulesInKV, scripted{status: 404})
		start := time.Now()
		if _, err, _ := next(); err == nil || !strings.Contains(err.Error(), "the last 1 stand for 30s") {
			t.Errorf("got %v", err)
		}
		set, err, _ := next()
		if took := time.Since(start); err != nil || len(set.DestinationRules) != 0 || took < 30*time.Second || took > 65*time.Second {
			t.Errorf("got %v, %v after %v, want no rules after 30 s and the wait of a query", set, err, took)
		}
	})
}

func TestRulesOfWhichSomeMayNotBeReadAreNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say(rulesInKV, scripted{body: []*api.KVPair{subsets()}, header: map[string]string{"X-Consul-Results-Filtered-By-ACLs": "true"}})
		next := pull(t, s)
		if _, err, _ := next(); err == nil || !strings.Contains(err.Error(), "rules under inmesh/: the token may not read all of it") {
			t.Errorf("got %v", err)
		}
		s.say(rulesInKV, pairs(subsets()))
		if set, err, _ := next(); err != nil || len(set.DestinationRules) != 1 {
			t.Errorf("got %v, %v", set, err)
		}
	})
}

func TestTroubleWithRulesIsToldOnceAndItsEndRepeatsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say(rulesInKV, pairs(subsets()))
		next := pull(t, s)
		first, _, _ := next()
		s.say(rulesInKV, scripted{status: 500, body: "No cluster leader"})
		if _, err, _ := next(); err == nil {
			t.Fatal("no trouble was told")
		}
		go func() {
			time.Sleep(time.Hour)
			s.say(rulesInKV, pairs(subsets()))
		}()
		start := time.Now()
		set, err, _ := next()
		if err != nil || set.Version != first.Version || time.Since(start) < time.Hour {
			t.Errorf("got %v, %v after %v", set, err, time.Since(start))
		}
	})
}

// Whoever cannot put rules in force says so, and that is reported instead.
func TestRulesThatAreRejectedWhenPutInForceAreReportedSo(t *testing.T) {
	t.Parallel()
	client := dial(t, consultest.Start(t, consultest.Config{}))
	source := consul.NewRules(client, consul.RulesConfig{Prefix: "inmesh", Subscriber: "picky"})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for set, err := range source.Watch(ctx) {
			if err == nil && len(set.VirtualServices) > 0 {
				source.Reject(set, errors.New("no provider of that name"))
			}
		}
	}()
	defer func() { cancel(); <-ended }()
	awaitReport(t, client, func(r consul.Report) bool { return r.Subscriber == "picky" && r.Rejected == "" })
	publish(t, client, split(20))
	awaitReport(t, client, func(r consul.Report) bool { return r.Rejected == "no provider of that name" && r.Version != "" })
}
