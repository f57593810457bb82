package follow_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/internal/follow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBad = errors.New("bad rules")

// A source yields what a test sends; an empty text is errBad, and a closed
// channel ends the sequence.
type source chan string

func (s source) Watch(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for {
			select {
			case text, ok := <-s:
				if !ok || !s.tell(text, yield) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func (s source) tell(text string, yield func(string, error) bool) bool {
	if text == "" {
		return yield("", errBad)
	}
	return yield(text, nil)
}

// A diary notes what a loop calls.
type diary []string

func (d *diary) apply(text string) { *d = append(*d, text) }
func (d *diary) report(err error)  { *d = append(*d, "error: "+err.Error()) }

func TestValuesAreAppliedAndErrorsReportedInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, d := make(source), new(diary)
		loop := follow.Start(src.Watch, d.apply, d.report)
		for _, text := range []string{"one", "", "two"} {
			src <- text
		}
		synctest.Wait()
		loop.Close()
		if want := (diary{"one", "error: bad rules", "two"}); !slices.Equal(*d, want) {
			t.Errorf("got %q", *d)
		}
	})
}

// restarts runs watch for an hour, and says when each sequence began.
func restarts(watch func(n int) iter.Seq2[string, error], report func(error)) (at []time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	began := time.Now()
	follow.Run(ctx, func(context.Context) iter.Seq2[string, error] {
		at = append(at, time.Since(began))
		return watch(len(at))
	}, func(string) {}, report)
	return at
}

func nothing(func(string, error) bool) {}

func TestASequenceThatEndsIsStartedAgainEverMoreSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := 0
		at := restarts(func(int) iter.Seq2[string, error] { return nothing }, func(err error) {
			if !errors.Is(err, follow.ErrEnded) {
				t.Errorf("reported %v", err)
			}
			ended++
		})
		ceiling := 100 * time.Millisecond
		for i := 1; i < len(at); i++ {
			if pause := at[i] - at[i-1]; pause > ceiling {
				t.Errorf("pause %d was %v, more than %v", i, pause, ceiling)
			}
			ceiling = min(2*ceiling, 30*time.Second)
		}
		// Full jitter: 15 s on average.
		if len(at) < 160 || len(at) > 400 || ended != len(at) {
			t.Errorf("started %d times in an hour, and reported %d ends", len(at), ended)
		}
	})
}

func TestAGoodValueTakesTheBackOffToItsBeginning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bad = 20
		at := restarts(func(n int) iter.Seq2[string, error] {
			if n != bad {
				return func(yield func(string, error) bool) { yield("", errBad) }
			}
			return func(yield func(string, error) bool) { yield("good", nil) }
		}, func(error) {})
		if pause := at[bad] - at[bad-1]; pause > 100*time.Millisecond {
			t.Errorf("the pause after a good value was %v", pause)
		}
	})
}

func TestNothingIsAppliedAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	follow.Run(ctx, func(context.Context) iter.Seq2[string, error] {
		return func(yield func(string, error) bool) {
			cancel()
			if yield("late", nil) {
				t.Error("a sequence may go on after the end")
			}
		}
	}, func(string) { t.Error("applied") }, func(error) { t.Error("reported") })
}

func TestAPauseEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loop := follow.Start(func(context.Context) iter.Seq2[string, error] { return nothing }, func(string) {}, func(error) {})
		time.Sleep(time.Hour)
		began := time.Now()
		loop.Close()
		if took := time.Since(began); took > 0 {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestReadySaysWhatCameFirst(t *testing.T) {
	for text, want := range map[string]error{"one": nil, "": errBad} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src, d := make(source), new(diary)
				loop := follow.Start(src.Watch, d.apply, d.report)
				defer loop.Close()
				go func() { src <- text; src <- "later" }()
				for range 2 {
					if err := loop.Ready(t.Context()); !errors.Is(err, want) {
						t.Errorf("got %v, want %v", err, want)
					}
					synctest.Wait()
				}
			})
		})
	}
}

func TestAFirstValueIsInForceWhenReadyReturns(t *testing.T) {
	applied := false
	src := make(source, 1)
	src <- "one"
	loop := follow.Start(src.Watch, func(string) { applied = true }, func(error) {})
	defer loop.Close()
	if err := loop.Ready(t.Context()); err != nil || !applied {
		t.Errorf("got %v, applied: %v", err, applied)
	}
}

func TestReadyIsBoundedByItsContextAndByClose(t *testing.T) {
	loop := follow.Start(make(source).Watch, func(string) {}, func(error) {})
	cause := errors.New("took too long")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if err := loop.Ready(ctx); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	loop.Close()
	loop.Close()
	if err := loop.Ready(t.Context()); !errors.Is(err, follow.ErrClosed) {
		t.Errorf("after Close: got %v", err)
	}
}

func ExampleStart() {
	rules := make(source, 1)
	rules <- "reviews: v2"
	loop := follow.Start(rules.Watch,
		func(text string) { fmt.Println("in force:", text) },
		func(err error) { fmt.Println("the last rules stand:", err) })
	defer loop.Close()
	fmt.Println("ready:", loop.Ready(context.Background()))
	// Output:
	// in force: reviews: v2
	// ready: <nil>
}
