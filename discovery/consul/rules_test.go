package consul_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

const reviewsRoutes = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - route:
    - destination: {host: reviews, subset: v1}
      weight: %d
    - destination: {host: reviews, subset: v2}
      weight: %d
`

const reviewsSubsets = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
`

// split is a file with a route that splits traffic, and its subsets.
func split(v1 int) rules.Text {
	return rules.Text{Name: "reviews.yaml", Data: []byte("# both\n---\n" + fmt.Sprintf(reviewsRoutes, v1, 100-v1) + "---\n" + reviewsSubsets)}
}

// A subscriber follows rules in a goroutine of its own.
type subscriber struct {
	t    *testing.T
	sets chan *rules.Set
	errs chan error
	stop func()
}

func subscribe(t *testing.T, source rules.Source) *subscriber {
	ctx, cancel := context.WithCancel(t.Context())
	s := &subscriber{t: t, sets: make(chan *rules.Set, 100), errs: make(chan error, 100)}
	var running sync.WaitGroup
	running.Go(func() {
		for set, err := range source.Watch(ctx) {
			if err != nil {
				s.errs <- err
				continue
			}
			s.sets <- set
		}
	})
	s.stop = func() { cancel(); running.Wait() }
	t.Cleanup(s.stop)
	return s
}

// await returns the first set of a version.
func (s *subscriber) await(version string) *rules.Set {
	s.t.Helper()
	late := time.After(patience)
	for {
		select {
		case set := <-s.sets:
			if set.Version == version {
				return set
			}
		case <-late:
			s.t.Fatalf("version %s has not come", version)
		}
	}
}

func (s *subscriber) awaitError(texts ...string) {
	s.t.Helper()
	select {
	case err := <-s.errs:
		for _, text := range texts {
			if !strings.Contains(err.Error(), text) {
				s.t.Errorf("got %v, want it to say %q", err, text)
			}
		}
	case <-time.After(patience):
		s.t.Fatalf("waited for an error that says %q", texts)
	}
}

func publish(t *testing.T, client *api.Client, files ...rules.Text) *consul.Plan {
	t.Helper()
	plan, err := consul.Publish(t.Context(), client, "inmesh", files...)
	must(t, err)
	return plan
}

// lines are the plan's changes, as tools print them.
func lines(p *consul.Plan) (out []string) {
	for _, c := range p.Changes {
		out = append(out, c.String())
	}
	return out
}

func TestPublishedRulesAreInForceAtTheSubscriberWhichReportsThem(t *testing.T) {
	t.Parallel()
	client := dial(t, consultest.Start(t, consultest.Config{}))
	s := subscribe(t, consul.NewRules(client, consul.RulesConfig{Prefix: "inmesh", Subscriber: "productpage"}))
	if first := <-s.sets; len(first.VirtualServices) != 0 {
		t.Fatalf("there are rules at first: %v", first)
	}

	plan := publish(t, client, split(90))
	if want := []string{"create DestinationRule default/reviews", "create VirtualService default/reviews"}; !slices.Equal(lines(plan), want) {
		t.Errorf("the changes are %q, want %q", lines(plan), want)
	}
	set := s.await(plan.Version)
	if got := set.VirtualServices[0]; got.File != "inmesh/default/VirtualService/reviews" {
		t.Errorf("the route stands in %s", got.File)
	}
	awaitReport(t, client, func(r consul.Report) bool { return r.Version == plan.Version && r.Rejected == "" })

	if again := publish(t, client, split(90)); again.Version != plan.Version || again.Changes[0].Verb() != "unchanged" {
		t.Errorf("the same again: %q, version %s", lines(again), again.Version)
	}
	next := publish(t, client, split(50))
	if want := []string{"unchanged DestinationRule default/reviews", "update VirtualService default/reviews"}; !slices.Equal(lines(next), want) {
		t.Errorf("the changes are %q, want %q", lines(next), want)
	}
	s.await(next.Version)

	gone, err := consul.DiffDelete(t.Context(), client, "inmesh", rules.Text{Name: "a.yaml", Data: []byte(fmt.Sprintf(reviewsRoutes, 1, 99))})
	must(t, err)
	must(t, gone.Commit(t.Context()))
	if set := s.await(gone.Version); len(set.VirtualServices) != 0 || len(set.DestinationRules) != 1 {
		t.Errorf("after the deletion there are %v and %v", set.VirtualServices, set.DestinationRules)
	}
}

// awaitReport waits for the one subscriber's report.
func awaitReport(t *testing.T, client *api.Client, want func(consul.Report) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		reports, err := consul.Reports(ctx, client, "inmesh")
		if err == nil && len(reports) == 1 && want(reports[0]) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the reports are %+v, %v", reports, err)
		}
	}
}

func TestWhatIsWrongInKVKeepsTheLastGoodRulesAndIsReported(t *testing.T) {
	t.Parallel()
	client := dial(t, consultest.Start(t, consultest.Config{}))
	source := consul.NewRules(client, consul.RulesConfig{Prefix: "inmesh", Subscriber: "productpage"})
	plan := publish(t, client, split(90))
	s := subscribe(t, source)
	s.await(plan.Version)

	put := func(key, value string) {
		_, err := client.KV().Put(&api.KVPair{Key: key, Value: []byte(value)}, nil)
		must(t, err)
	}
	put("inmesh/default/VirtualService/other", "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: other}\nspec: {host: other}")
	s.awaitError("inmesh/default/VirtualService/other:1", "the key of this object is inmesh/default/DestinationRule/other")
	put("inmesh/default/VirtualService/other", "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: other}\nspec: {hosts: [other], htp: []}")
	s.awaitError("inmesh/default/VirtualService/other:4", "htp")
	awaitReport(t, client, func(r consul.Report) bool { return r.Version == plan.Version && strings.Contains(r.Rejected, "htp") })

	_, err := consul.Publish(t.Context(), client, "inmesh", split(50))
	if faults, ok := errors.AsType[rules.Faults](err); !ok || !strings.Contains(faults.Error(), "VirtualService/other:4") {
		t.Errorf("published beside a broken object: %v", err)
	}
	_, err = client.KV().Delete("inmesh/default/VirtualService/other", nil)
	must(t, err)
	s.await(plan.Version)
	awaitReport(t, client, func(r consul.Report) bool { return r.Rejected == "" })
	s.stop()
	awaitNoReports(t, client)
}

func awaitNoReports(t *testing.T, client *api.Client) {
	t.Helper()
	reports, err := consul.Reports(t.Context(), client, "inmesh")
	if err != nil || len(reports) != 0 {
		t.Errorf("there are reports of nobody: %v, %v", reports, err)
	}
}

func TestWhatIsWrongInFilesIsToldByFileAndLineAndNothingIsWritten(t *testing.T) {
	t.Parallel()
	client := dial(t, consultest.Start(t, consultest.Config{}))
	bad := split(90)
	bad.Data = append(bad.Data, "---\nkind: VirtualService\napiVersion: networking.istio.io/v1\nmetadata: {name: x}\nspec: {hosts: [x], http: [{rout: []}]}\n"...)
	for name, c := range map[string]struct {
		files []rules.Text
		want  string
	}{
		"an unknown field": {[]rules.Text{bad}, "reviews.yaml:27: VirtualService default/x"},
		"twice":            {[]rules.Text{split(90), {Name: "b.yaml", Data: []byte(reviewsSubsets)}}, "b.yaml:1: DestinationRule default/reviews: it stands in reviews.yaml already"},
		"a list":           {[]rules.Text{{Name: "l.json", Data: list()}}, "write each object as a document of its own"},
	} {
		if _, err := consul.Publish(t.Context(), client, "inmesh", c.files...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if keys, _, err := client.KV().Keys("", "", nil); err != nil || len(keys) > 0 {
		t.Errorf("written: %q, %v", keys, err)
	}
}

// What warns of a subset without its DestinationRule is the whole that will stand,
// not the file alone.
func TestWarningsAreThoseOfTheWhole(t *testing.T) {
	t.Parallel()
	client := dial(t, consultest.Start(t, consultest.Config{}))
	routes := rules.Text{Name: "routes.yaml", Data: fmt.Appendf(nil, "\n\n---\n"+reviewsRoutes, 90, 10)}
	subsets := rules.Text{Name: "subsets.yaml", Data: []byte(reviewsSubsets)}
	const noSubset = "no DestinationRule of reviews.default.svc.cluster.local defines any subset"
	warned := func(p *consul.Plan, err error, file string, line int) {
		t.Helper()
		must(t, err)
		if len(p.Warnings) != 1 || p.Warnings[0].File != file || p.Warnings[0].Line != line || !strings.Contains(p.Warnings[0].Message, noSubset) {
			t.Errorf("got %+v, want one of %s:%d", []rules.Fault(p.Warnings), file, line)
		}
	}
	alone, err := consul.Diff(t.Context(), client, "inmesh", routes)
	warned(alone, err, "routes.yaml", 11)
	if whole := publish(t, client, split(90)); len(whole.Warnings) > 0 {
		t.Errorf("of a whole that is in order: %v", whole.Warnings)
	}
	if part := publish(t, client, routes); len(part.Warnings) > 0 {
		t.Errorf("of routes whose subsets stand in KV: %v", part.Warnings)
	}
	without, err := consul.DiffDelete(t.Context(), client, "inmesh", subsets)
	warned(without, err, "inmesh/default/VirtualService/reviews", 8)
}

func list() []byte {
	item := `{"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "metadata": {"name": %q}, "spec": {"host": "a"}}`
	return fmt.Appendf(nil, `{"apiVersion": "v1", "kind": "List", "items": [%s, %s]}`, fmt.Sprintf(item, "a"), fmt.Sprintf(item, "b"))
}

func TestAPlanThatSomebodyWasFasterThanWritesNothing(t *testing.T) {
	t.Parallel()
	client := dial(t, consultest.Start(t, consultest.Config{}))
	publish(t, client, split(90))
	slow, err := consul.Diff(t.Context(), client, "inmesh", split(10), rules.Text{Name: "c.yaml", Data: []byte(strings.ReplaceAll(reviewsSubsets, "name: reviews", "name: more"))})
	must(t, err)
	fast := publish(t, client, split(50))
	if err := slow.Commit(t.Context()); !errors.Is(err, consul.ErrConflict) || !strings.Contains(err.Error(), "inmesh/default/VirtualService/reviews") {
		t.Errorf("got %v, want a conflict that names the object", err)
	}
	now, err := consul.Diff(t.Context(), client, "inmesh", split(50))
	must(t, err)
	if now.Version != fast.Version {
		t.Errorf("the version is %s, want %s", now.Version, fast.Version)
	}
}

func TestAPrefixThatIsNoneIsRefused(t *testing.T) {
	source := consul.Rules(nil, "/")
	for _, err := range source.Watch(t.Context()) {
		if err == nil || !strings.Contains(err.Error(), "the prefix of the rules is empty") {
			t.Errorf("got %v", err)
		}
		break
	}
	if _, err := consul.Publish(t.Context(), nil, "", split(1)); err == nil {
		t.Error("published to everywhere")
	}
}

// Fifty processes' worth of subscribers have the same rules in force soon after
// they were published.
func TestFiftySubscribersFollowWithinASecond(t *testing.T) {
	agent := consultest.Start(t, consultest.Config{})
	client := dial(t, agent)
	publish(t, client, split(0))
	subscribers := make([]*subscriber, 50)
	for i := range subscribers {
		config := consul.RulesConfig{Prefix: "inmesh", Subscriber: fmt.Sprintf("process-%02d", i)}
		subscribers[i] = subscribe(t, consul.NewRules(dial(t, agent), config))
		<-subscribers[i].sets
	}
	var took []time.Duration
	for round := 1; round <= 5; round++ {
		start := time.Now()
		plan := publish(t, client, split(round))
		for _, s := range subscribers {
			s.await(plan.Version)
			took = append(took, time.Since(start))
		}
	}
	t.Logf("in force everywhere after: the first %v; of five one after the other:", took[len(subscribers)-1])
	slices.Sort(took)
	t.Logf("median %v, p99 %v, longest %v", took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	eventually(t, "all subscribers report", func() bool {
		reports, err := consul.Reports(t.Context(), client, "inmesh")
		return err == nil && len(reports) == 50
	})
}
