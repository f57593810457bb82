package discovery_test

import (
	"context"
	"errors"
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/discoverytest"
)

var reviews = discovery.Service{Host: "reviews", Name: "reviews", Port: 9080}

// A scripted source yields whatever a test sends it. Each watch takes from the
// same channel; closing it ends the sequence.
type scripted struct {
	news    chan news
	watches chan int // receives +1 when a watch begins and -1 when it ends
}

type news struct {
	endpoints []discovery.Endpoint
	err       error
}

func newScripted() *scripted {
	return &scripted{make(chan news), make(chan int, 100)}
}

func (s *scripted) Watch(ctx context.Context, _ discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		s.watches <- 1
		defer func() { s.watches <- -1 }()
		for {
			select {
			case n, ok := <-s.news:
				if !ok || !yield(n.endpoints, n.err) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func (s *scripted) say(addresses ...string) {
	s.news <- news{endpoints: discovery.Addresses(addresses...)}
}
func (s *scripted) fail(err error) { s.news <- news{err: err} }

// begun says how many watches have begun so far, and how many are still on.
func (s *scripted) begun() (begun, on int) {
	synctest.Wait()
	for range len(s.watches) {
		change := <-s.watches
		defer func() { s.watches <- change }()
		begun += max(change, 0)
		on += change
	}
	return begun, on
}

func staticHarness(t *testing.T, wrap func(discovery.Source) discovery.Source) discoverytest.Harness {
	static, err := discovery.NewStatic(nil)
	if err != nil {
		t.Fatal(err)
	}
	set := func(host string, endpoints []discovery.Endpoint) {
		if err := static.Set(host, endpoints); err != nil {
			t.Fatal(err)
		}
	}
	return discoverytest.Harness{Source: wrap(static), Set: set, Remove: static.Remove, Patience: time.Minute}
}

func TestComposedSourcesConform(t *testing.T) {
	empty, _ := discovery.NewStatic(nil)
	for name, wrap := range map[string]func(discovery.Source) discovery.Source{
		"Share":         discovery.Share,
		"Hold":          func(s discovery.Source) discovery.Source { return discovery.Hold(s, 0) },
		"First, first":  func(s discovery.Source) discovery.Source { return discovery.First(s, empty) },
		"First, second": func(s discovery.Source) discovery.Source { return discovery.First(empty, s) },
		"First, third":  func(s discovery.Source) discovery.Source { return discovery.First(empty, empty, s) },
		"all": func(s discovery.Source) discovery.Source {
			return discovery.Share(discovery.Hold(discovery.First(s), 0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			discoverytest.RunPaused(t, func(t *testing.T) discoverytest.Harness { return staticHarness(t, wrap) })
		})
	}
}

var errDown = errors.New("registry down")

func TestHoldBelievesInNobodyOnlyAfterAWhile(t *testing.T) {
	type step struct {
		after time.Duration
		do    func(*scripted)
		want  []string
	}
	say := func(a ...string) func(*scripted) { return func(s *scripted) { s.say(a...) } }
	fail := func(err error) func(*scripted) { return func(s *scripted) { s.fail(err) } }
	quiet := func(*scripted) {}
	keeping := func(d string) string { return "error: reviews has no endpoints any more: keeping the last 2 for " + d }
	good := step{0, say("a:1", "b:1"), []string{"a:1 b:1"}}
	for _, test := range []struct {
		name  string
		steps []step
	}{
		{"empty from the start is believed at once", []step{{0, say(), []string{""}}}},
		{"unknown from the start is believed at once", []step{{0, fail(discovery.ErrUnknown), []string{"error: unknown service"}}}},
		{"empty after good is believed after 30 s", []step{
			good, {0, say(), []string{keeping("30s")}}, {29 * time.Second, quiet, nil}, {time.Second, quiet, []string{""}},
		}},
		{"unknown after good is believed after 30 s", []step{
			good, {0, fail(discovery.ErrUnknown), []string{keeping("30s")}}, {30 * time.Second, quiet, []string{"error: unknown service"}},
		}},
		{"good again ends the doubt", []step{
			good, {0, say(), []string{keeping("30s")}}, {20 * time.Second, say("a:1"), []string{"a:1"}}, {time.Hour, quiet, nil},
		}},
		{"saying it again does not begin the wait anew, and the last word counts", []step{
			good, {0, say(), []string{keeping("30s")}}, {20 * time.Second, fail(discovery.ErrUnknown), []string{keeping("10s")}},
			{10 * time.Second, quiet, []string{"error: unknown service"}},
		}},
		{"errors neither clear nor end the doubt", []step{
			good, {0, fail(errDown), []string{"error: registry down"}}, {time.Hour, quiet, nil},
			{0, say(), []string{keeping("30s")}}, {10 * time.Second, fail(errDown), []string{"error: registry down"}},
			{20 * time.Second, quiet, []string{""}},
		}},
		{"what was believed is not held again", []step{
			good, {0, say(), []string{keeping("30s")}}, {30 * time.Second, quiet, []string{""}}, {0, fail(discovery.ErrUnknown), []string{"error: unknown service"}},
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := newScripted()
				l := listen(t, discovery.Hold(src, 0), reviews)
				for _, s := range test.steps {
					time.Sleep(s.after)
					s.do(src)
					l.want(s.want...)
				}
			})
		})
	}
}

// A lapsing source has a set for each watch, and ends all but the last.
type lapsing struct {
	sets    [][]discovery.Endpoint
	watched int
}

func (s *lapsing) Watch(ctx context.Context, _ discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		set := s.sets[s.watched]
		s.watched++
		if yield(set, nil) && s.watched == len(s.sets) {
			<-ctx.Done()
		}
	}
}

// again watches a source again whenever its sequence has ended.
type again struct{ discovery.Source }

func (a again) Watch(ctx context.Context, s discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		for ctx.Err() == nil {
			a.Source.Watch(ctx, s)(yield)
		}
	}
}

// A registry that restarts ends what its clients watch, and then knows nobody.
func TestHoldOutlivesASequenceThatEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &lapsing{sets: [][]discovery.Endpoint{discovery.Addresses("a:1", "b:1"), nil, nil}}
		l := listen(t, again{discovery.Hold(src, 0)}, reviews)
		keeping := "error: reviews has no endpoints any more: keeping the last 2 for 30s"
		l.want("a:1 b:1", keeping, keeping)
		time.Sleep(29 * time.Second)
		l.want()
		time.Sleep(time.Second)
		l.want("")
	})
}

func TestFirstSwitchesToWhoKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files, dns := newScripted(), newScripted()
		l := listen(t, discovery.First(files, dns), reviews)
		check := func(wantBegun, wantOn int) {
			t.Helper()
			if begun, on := dns.begun(); begun != wantBegun || on != wantOn {
				t.Errorf("the second source was watched %d times, and %d watches are on; want %d, %d", begun, on, wantBegun, wantOn)
			}
		}
		files.fail(errDown)
		l.want("error: registry down")
		check(0, 0)
		files.fail(discovery.ErrUnknown)
		l.want()
		check(1, 1)
		dns.fail(discovery.ErrUnknown)
		l.want("error: unknown service")
		dns.say("a:1")
		l.want("a:1")
		files.say("b:1")
		l.want("b:1")
		check(1, 0)
		files.fail(discovery.ErrUnknown)
		check(2, 1)
		dns.say("c:1")
		l.want("c:1")
	})
}

func TestFirstOfNoneKnowsNothing(t *testing.T) {
	if _, err := firstAnswer(t, discovery.First(), reviews); !errors.Is(err, discovery.ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestShareWatchesUpstreamOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newScripted()
		shared := discovery.Share(src)
		one := listen(t, shared, reviews)
		src.say("a:1")
		src.fail(errDown)
		one.want("a:1", "error: registry down")
		two := listen(t, shared, reviews)
		two.want("a:1", "error: registry down")
		src.say("a:1")
		one.want("a:1")
		two.want("a:1")
		if begun, on := src.begun(); begun != 1 || on != 1 {
			t.Errorf("%d upstream watches began, %d are on", begun, on)
		}
	})
}

func TestShareStopsWithItsLastWatcherAndStartsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newScripted()
		shared := discovery.Share(src)
		for round := range 3 {
			go src.say("a:1")
			if got, err := firstAnswer(t, shared, reviews); err != nil || len(got) != 1 {
				t.Errorf("got %v, %v", got, err)
			}
			if begun, on := src.begun(); begun != round+1 || on != 0 {
				t.Errorf("round %d: %d upstream watches began, %d are on", round, begun, on)
			}
		}
	})
}

func TestASequenceEndsWithItsUpstream(t *testing.T) {
	for name, wrap := range map[string]func(discovery.Source) discovery.Source{
		"Share": discovery.Share,
		"Hold":  func(s discovery.Source) discovery.Source { return discovery.Hold(s, 0) },
		"First": func(s discovery.Source) discovery.Source { return discovery.First(s, s) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := newScripted()
				l := listen(t, wrap(src), reviews)
				close(src.news)
				synctest.Wait()
				if l.mu.Lock(); !l.ended {
					t.Error("it goes on")
				}
				l.mu.Unlock()
			})
		})
	}
}

// A source that has said all it knows may leave it at that, and be started again.
func TestTheLastWordOfASequenceThatEndsIsHeard(t *testing.T) {
	for name, wrap := range map[string]func(discovery.Source) discovery.Source{
		"Share": discovery.Share,
		"Hold":  func(s discovery.Source) discovery.Source { return discovery.Hold(s, 0) },
		"First": func(s discovery.Source) discovery.Source { return discovery.First(s, s) },
	} {
		t.Run(name, func(t *testing.T) {
			for range 100 { // a lost word is lost by chance
				synctest.Test(t, func(t *testing.T) {
					src := newScripted()
					l := listen(t, wrap(src), reviews)
					go func() { src.say("a:1"); src.fail(errDown); close(src.news) }()
					synctest.Wait()
					if l.mu.Lock(); len(l.heard) == 0 || l.heard[len(l.heard)-1] != "error: registry down" {
						t.Errorf("heard %q", l.heard)
					}
					l.mu.Unlock()
				})
			}
		})
	}
}
