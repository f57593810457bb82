package consul_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// many is a file with more objects than a transaction takes, all of one edition.
func many(n, edition int) rules.Text {
	var all []byte
	for i := range n {
		all = fmt.Appendf(all, "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d%d}\nspec: {host: e%d}\n", i, edition)
	}
	return rules.Text{Name: "all.yaml", Data: all}
}

// edition is the edition of all objects of a set; a test fails where there are two.
func edition(t *testing.T, set *rules.Set) string {
	t.Helper()
	for _, d := range set.DestinationRules {
		if first := set.DestinationRules[0]; d.Spec.Host != first.Spec.Host {
			t.Errorf("%s is of %s, %s of %s", first.Name, first.Spec.Host, d.Name, d.Spec.Host)
		}
	}
	if len(set.DestinationRules) == 0 {
		return ""
	}
	return set.DestinationRules[0].Spec.Host
}

func TestWhatTakesManyTransactionsIsInForceAtOnce(t *testing.T) {
	t.Parallel()
	client := dial(t, consultest.Start(t, consultest.Config{}))
	s := subscribe(t, consul.NewRules(client, consul.RulesConfig{Prefix: "inmesh", Quiet: true}))
	<-s.sets // there are none
	const n = 300
	for i := 1; i <= 3; i++ {
		plan := publish(t, client, many(n, i))
		for set := range s.sets {
			if edition(t, set); len(set.DestinationRules) != n {
				t.Fatalf("%d objects are in force", len(set.DestinationRules))
			}
			if set.Version == plan.Version {
				break
			}
		}
	}
	select {
	case err := <-s.errs:
		t.Errorf("the subscriber was troubled: %v", err)
	default:
	}
	gone, err := consul.DiffDelete(t.Context(), client, "inmesh", many(n-1, 0))
	must(t, err)
	must(t, gone.Commit(t.Context()))
	if set := s.await(gone.Version); len(set.DestinationRules) != 1 {
		t.Errorf("%d objects are left", len(set.DestinationRules))
	}
}

// dying is a client whose transactions do not arrive after the first few.
type dying struct {
	next http.RoundTripper
	left atomic.Int32
}

var errDead = errors.New("the publisher is dead")

func (d *dying) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Path == "/v1/txn" && d.left.Add(-1) < 0 {
		return nil, errDead
	}
	return d.next.RoundTrip(r)
}

func TestAPublisherThatDiesInTheMiddleChangesNothingUntilTheSameIsPublishedAgain(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	client := dial(t, agent)
	before := publish(t, client, many(300, 1))
	s := subscribe(t, consul.NewRules(client, consul.RulesConfig{Prefix: "inmesh", Quiet: true}))
	s.await(before.Version)

	transport := &http.Transport{DisableKeepAlives: true}
	d := &dying{next: transport}
	d.left.Store(2)
	mortal := newClient(t, &api.Config{Address: agent.Address(), HttpClient: &http.Client{Transport: d}})
	_, err := consul.Publish(t.Context(), mortal, "inmesh", many(300, 2))
	if !errors.Is(err, consul.ErrUnfinished) || !errors.Is(err, errDead) || !strings.Contains(err.Error(), "delete the key inmesh/.unfinished") {
		t.Fatalf("got %v", err)
	}
	subscribe(t, consul.NewRules(client, consul.RulesConfig{Prefix: "inmesh", Quiet: true})).awaitError("rules are written in part")
	if _, err := consul.Publish(t.Context(), client, "inmesh", split(50)); !errors.Is(err, consul.ErrUnfinished) {
		t.Errorf("something else was published: %v", err)
	}
	after := publish(t, client, many(300, 2))
	for set := range s.sets {
		if got := edition(t, set); set.Version == after.Version && got == "e2" {
			break
		}
	}
}

// What no transaction takes is refused before the first one: later it would leave
// all of the rules written in part, however often they are published.
func TestAnObjectThatIsTooLongForConsulIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	client := dial(t, consultest.Start(t, consultest.Config{}))
	long := func(n int) rules.Text {
		return rules.Text{Name: "long.yaml", Data: fmt.Appendf(nil, "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: z}\nspec: {host: e1}\n# %s\n", strings.Repeat("x", n))}
	}
	_, err := consul.Publish(t.Context(), client, "inmesh", many(300, 1), long(390<<10))
	if err == nil || !strings.Contains(err.Error(), "long.yaml:1: DestinationRule default/z") || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("got %v", err)
	}
	if keys, _, err := client.KV().Keys("", "", nil); err != nil || len(keys) > 0 {
		t.Errorf("written: %q, %v", keys, err)
	}
	publish(t, client, many(300, 1), long(379<<10))
}

// Who publishes a little does not get between the parts of who publishes much.
func TestTwoPublishersWriteOneAfterTheOther(t *testing.T) {
	t.Parallel()
	client := dial(t, consultest.Start(t, consultest.Config{}))
	slow, err := consul.Diff(t.Context(), client, "inmesh", split(50))
	must(t, err)
	_, err = client.KV().Put(&api.KVPair{Key: "inmesh/.unfinished", Value: []byte(`{"Version": "x"}`)}, nil)
	must(t, err)
	if err := slow.Commit(t.Context()); !errors.Is(err, consul.ErrConflict) || !strings.Contains(err.Error(), "nothing was written") {
		t.Errorf("got %v", err)
	}
	_, err = client.KV().Delete("inmesh/.unfinished", nil)
	must(t, err)
	must(t, slow.Commit(t.Context()))
}

func TestRulesThatStayWrittenInPartAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say(rulesInKV, pairs(subsets()))
		next := pull(t, s)
		first, _, _ := next()
		s.say(rulesInKV, pairs(&api.KVPair{Key: "inmesh/.unfinished", Value: []byte(`{"Version": "v2"}`), ModifyIndex: 7}))
		start := time.Now()
		_, err, _ := next()
		if took := time.Since(start); !errors.Is(err, consul.ErrUnfinished) || !strings.Contains(err.Error(), "version v2") || took < 10*time.Second || took > 45*time.Second {
			t.Errorf("got %v after %v", err, took)
		}
		s.say(rulesInKV, pairs(subsets()))
		if set, err, _ := next(); err != nil || set.Version != first.Version {
			t.Errorf("got %v, %v", set, err)
		}
	})
}

// Who starts while rules are written has them a moment later: an error would end it.
func TestWhoStartsWhileRulesAreWrittenWaitsForTheRest(t *testing.T) {
	unfinished := &api.KVPair{Key: "inmesh/.unfinished", Value: []byte(`{"Version": "v2"}`), ModifyIndex: 7}
	for name, finished := range map[string]bool{"the rest is written": true, "the publisher is dead": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScript()
				s.say(rulesInKV, pairs(unfinished))
				next := pull(t, s)
				if finished {
					time.AfterFunc(time.Second, func() { s.say(rulesInKV, pairs(subsets())) })
				}
				start := time.Now()
				set, err, _ := next()
				took := time.Since(start)
				if finished && (err != nil || len(set.DestinationRules) != 1 || took > 5*time.Second) {
					t.Errorf("got %v, %v after %v", set, err, took)
				}
				if !finished && (!errors.Is(err, consul.ErrUnfinished) || took < 10*time.Second || took > 15*time.Second) {
					t.Errorf("got %v after %v", err, took)
				}
			})
		})
	}
}
