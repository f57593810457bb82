package blocking_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/internal/blocking"
)

var errDown = errors.New("connection refused")

// A reply is what a scripted agent says to one query.
type reply struct {
	index uint64
	after time.Duration // how long the query hangs
	lag   time.Duration // since the server heard from the leader
	mute  bool          // it does not say so
	err   error
}

// A script is an agent that gives its replies in turn, and then none.
type script struct {
	replies []reply
	asked   []asked
	start   time.Time
}

// asked is a query as it came in.
type asked struct {
	index uint64
	at    time.Duration // since the start of the script
}

func (s *script) query(o *api.QueryOptions) (int, *api.QueryMeta, error) {
	s.asked = append(s.asked, asked{o.WaitIndex, time.Since(s.start)})
	r := reply{after: 24 * time.Hour}
	if n := len(s.asked); n <= len(s.replies) {
		r = s.replies[n-1]
	}
	select {
	case <-time.After(r.after):
		return len(s.asked), &api.QueryMeta{LastIndex: r.index, LastContact: r.lag, KnownLeader: !r.mute && r.lag == 0}, r.err
	case <-o.Context().Done():
		return 0, nil, o.Context().Err()
	}
}

// indexes are those that were asked for, in turn.
func (s *script) indexes() (out []uint64) {
	for _, a := range s.asked {
		out = append(out, a.index)
	}
	return out
}

// play watches for so long, and returns what was yielded.
func (s *script) play(c blocking.Config, length time.Duration) (answers []blocking.Answer[int], errs []error) {
	s.start = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	for answer, err := range blocking.Watch(ctx, c, s.query) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		answers = append(answers, answer)
	}
	return answers, errs
}

func at(index uint64) reply { return reply{index: index, after: time.Second} }

func TestWaitsOnTheIndexOfTheLastAnswerAndForgetsItWhereTheRulesSaySo(t *testing.T) {
	for name, c := range map[string]struct {
		replies []reply
		want    []uint64 // the indexes that are waited on
	}{
		"goes forward":                    {[]reply{at(7), at(9), at(9)}, []uint64{0, 7, 9, 9}},
		"backwards is forgotten":          {[]reply{at(900), at(12), at(12)}, []uint64{0, 900, 0, 12}},
		"zero becomes one":                {[]reply{at(0), at(0), at(0)}, []uint64{0, 1, 0, 1}},
		"backwards to zero":               {[]reply{at(5), at(0), at(0)}, []uint64{0, 5, 0, 1}},
		"trouble is asked about at once":  {[]reply{at(5), {err: errDown}, at(5)}, []uint64{0, 5, 0, 5}},
		"two servers, one behind another": {[]reply{at(9), at(7), at(9), at(7)}, []uint64{0, 9, 0, 9, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := script{replies: c.replies}
				s.play(blocking.Config{}, 20*time.Second)
				if got := s.indexes(); !slices.Equal(got[:len(c.want)], c.want) {
					t.Errorf("asked for the indexes %v, want %v", got, c.want)
				}
			})
		})
	}
}

func TestAnAgentThatAnswersAtOnceIsAskedTwiceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script{replies: make([]reply, 1000)}
		for i := range s.replies {
			s.replies[i].index = uint64(i + 1)
		}
		s.play(blocking.Config{}, 30*time.Second)
		if n := len(s.asked); n < 60 || n > 62 {
			t.Errorf("%d queries in 30 s, want 2 at once and then one each 500 ms", n)
		}
	})
}

func TestChangesThatAreFarApartAreNotPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script{replies: []reply{{index: 1}, {index: 2, after: 10 * time.Second}, {index: 3, after: time.Millisecond}}}
		s.play(blocking.Config{}, 11*time.Second)
		if last := s.asked[3].at; last > 10*time.Second+time.Millisecond {
			t.Errorf("the query after two quick changes came at %v, want it at once", last)
		}
	})
}

func TestAWaitingQueryIsGivenUpOnlyAfterTheWaitAndWhatTheServerAdds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script{replies: []reply{at(5)}}
		_, errs := s.play(blocking.Config{Wait: 16 * time.Minute / 10}, 3*time.Minute)
		if len(errs) == 0 || !errors.Is(errs[0], context.DeadlineExceeded) || !strings.Contains(errs[0].Error(), "no answer within 1m52s") {
			t.Fatalf("got %v, want no answer within 96 s, 6 s and 10 s", errs)
		}
		if given := s.asked[2].at; given < 113*time.Second || given > 114*time.Second {
			t.Errorf("the next query came at %v", given)
		}
	})
}

func TestAQueryThatIsNotToWaitIsGivenUpSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script{}
		_, errs := s.play(blocking.Config{}, 11*time.Second)
		if len(errs) != 1 || !errors.Is(errs[0], context.DeadlineExceeded) {
			t.Errorf("got %v, want one deadline after 10 s", errs)
		}
	})
}

func TestPausesAfterTroubleAreRandomBelowACeilingThatDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script{replies: slices.Repeat([]reply{{err: errDown}}, 200)}
		_, errs := s.play(blocking.Config{}, 10*time.Minute)
		if !errors.Is(errs[0], errDown) {
			t.Errorf("got %v", errs[0])
		}
		ceiling := 250 * time.Millisecond
		for i := 1; i < len(s.asked); i++ {
			// The pace adds to the first pauses.
			if pause := s.asked[i].at - s.asked[i-1].at; pause > max(ceiling, 500*time.Millisecond) {
				t.Errorf("pause %d was %v, want at most %v", i, pause, ceiling)
			}
			ceiling = min(2*ceiling, 30*time.Second)
		}
		if n := len(s.asked); n < 30 || n > 90 {
			t.Errorf("%d queries in 10 min of trouble, want some 50: one each 15 s", n)
		}
	})
}

// A fleet of 200 loses its agent and gets it back: what comes in then, in any
// second, is a small part of the fleet.
func TestAFleetDoesNotComeBackAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fleet, outage = 200, 2 * time.Minute
		scripts := make([]script, fleet)
		done := make(chan struct{})
		for i := range scripts {
			scripts[i].start = time.Now()
			go func() {
				defer func() { done <- struct{}{} }()
				scripts[i].endure(outage)
			}()
		}
		var back [60]int // queries in each second after the outage
		for range fleet {
			<-done
		}
		for i := range scripts {
			s := (scripts[i].asked[len(scripts[i].asked)-1].at - outage) / time.Second
			back[min(int(s), len(back)-1)]++
		}
		if worst := slices.Max(back[:]); worst > fleet/8 {
			t.Errorf("%d of %d came back in one second: %v", worst, fleet, back)
		}
	})
}

// endure asks an agent that is down for so long, until it answers.
func (s *script) endure(outage time.Duration) {
	down := func(o *api.QueryOptions) (int, *api.QueryMeta, error) {
		s.asked = append(s.asked, asked{o.WaitIndex, time.Since(s.start)})
		if time.Since(s.start) < outage {
			return 0, nil, errDown
		}
		return 0, &api.QueryMeta{LastIndex: 1}, nil
	}
	for _, err := range blocking.Watch(context.Background(), blocking.Config{}, down) {
		if err == nil {
			return
		}
	}
}

func TestAnswersTellSinceWhenTheyAreCertain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script{replies: []reply{{index: 3, after: time.Second, lag: 400 * time.Millisecond}}}
		answers, _ := s.play(blocking.Config{}, 2*time.Second)
		if known := answers[0].Known.Sub(s.start); known != 600*time.Millisecond {
			t.Errorf("known at %v, want when it came, less the 400 ms of the server", known)
		}
	})
}

// Agents that stream do not say of an answer that has waited how old it is, and so
// one that is cut off from the leader looks like one to which nothing happens.
func TestAnAnswerThatDoesNotSayHowOldItIsProvesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quiet := reply{index: 3, after: 15 * time.Second, mute: true}
		s := script{replies: []reply{{index: 3}, quiet, quiet, {index: 3, lag: 20 * time.Second, mute: true}, quiet, quiet, {index: 3}}}
		answers, _ := s.play(blocking.Config{Wait: 30 * time.Second}, 61*time.Second)
		var known []time.Duration
		for _, a := range answers {
			known = append(known, a.Known.Sub(s.start))
		}
		if want := []time.Duration{0, 0, 0, 10 * time.Second, 10 * time.Second, 10 * time.Second, 60 * time.Second}; !slices.Equal(known, want) {
			t.Errorf("known at %v, want %v", known, want)
		}
		if got := s.indexes()[:7]; !slices.Equal(got, []uint64{0, 3, 3, 0, 3, 3, 0}) {
			t.Errorf("asked for the indexes %v", got)
		}
	})
}

func TestEndsWithItsContextWhereverItIs(t *testing.T) {
	for name, replies := range map[string][]reply{
		"in a query":       {},
		"in a pause":       slices.Repeat([]reply{{err: errDown}}, 50),
		"between two":      make([]reply, 1000),
		"in the next wait": {at(4)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := script{replies: replies}
				s.play(blocking.Config{}, 9*time.Second+300*time.Millisecond)
				if past := time.Since(s.start); past != 9*time.Second+300*time.Millisecond {
					t.Errorf("ended after %v", past)
				}
			})
		})
	}
}

func TestEveryQueryHasTheOptionsAndAllowsStaleAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ask := func(o *api.QueryOptions) (api.QueryOptions, *api.QueryMeta, error) {
			return *o, &api.QueryMeta{LastIndex: 1, KnownLeader: true}, nil
		}
		c := blocking.Config{Options: api.QueryOptions{Datacenter: "dc2", Token: "t"}, Wait: 5 * time.Minute}
		for answer, err := range blocking.Watch(ctx, c, ask) {
			o := answer.Value
			if err != nil || o.Datacenter != "dc2" || o.Token != "t" || !o.AllowStale || o.WaitTime != 5*time.Minute {
				t.Errorf("asked with %+v, %v", o, err)
			}
			break
		}
	})
}
