package discoverytest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"

	"github.com/inmesh-go/inmesh/discovery"
)

const reviews, ratings = "reviews.example.test", "ratings.example.test"

var (
	one   = discovery.Addresses("10.0.0.1:9080")
	three = discovery.Addresses("10.0.0.1:9080", "10.0.0.2:9080", "10.0.0.3:9080")
	other = discovery.Addresses("10.0.1.1:9080", "10.0.1.2:9080")
)

var cases = []testCase{
	{"YieldsTheWholeSetAtOnce", nil, yieldsAtOnce},
	{"YieldsTheWholeSetAfterEachChange", nil, yieldsAfterChange},
	{"KeepsServicesApart", nil, keepsApart},
	{"TellsEveryWatcher", nil, tellsEveryWatcher},
	{"TellsNewcomersTheNewestSet", nil, tellsNewcomers},
	{"EndsWithItsContextWhileNothingHappens", nil, endsWithContext},
	{"EndsAtOnceUnderAnEndedContext", nil, endsAtOnce},
	{"EndsWhenItsConsumerBreaksOff", nil, endsOnBreak},
	{"YieldsErrUnknownUntilTheServiceIsThere", nil, unknownThenThere},
	{"YieldsErrUnknownOrNothingAfterRemoval", removes, unknownAfterRemoval},
	{"GoesOnAfterErrors", breaks, goesOnAfterErrors},
	{"TellsTroubleToThoseWhoComeDuringIt", breaks, tellsTroubleToNewcomers},
	{"NeverChangesWhatItYielded", nil, neverChangesYielded},
	{"DoesNotKeepTheCallersSlice", nil, doesNotKeepSlice},
	{"BearsManyWatchersComingAndGoing", nil, bearsCrowds},
}

func yieldsAtOnce(b *bench) {
	b.Set(reviews, three)
	b.watch(reviews).awaitSet(three)
}

func yieldsAfterChange(b *bench) {
	b.Set(reviews, one)
	w := b.watch(reviews)
	w.awaitSet(one)
	for _, next := range [][]discovery.Endpoint{three, other, one} {
		b.Set(reviews, next)
		w.awaitSet(next)
	}
}

func keepsApart(b *bench) {
	b.Set(reviews, three)
	b.Set(ratings, other)
	ofReviews, ofRatings := b.watch(reviews), b.watch(ratings)
	ofReviews.awaitSet(three)
	ofRatings.awaitSet(other)
	b.Set(ratings, one)
	ofRatings.awaitSet(one)
	b.watch(reviews).awaitSet(three)
}

func tellsEveryWatcher(b *bench) {
	b.Set(reviews, one)
	watchers := make([]*watcher, 5)
	for i := range watchers {
		watchers[i] = b.watch(reviews)
		watchers[i].awaitSet(one)
	}
	watchers[0].stop()
	b.Set(reviews, three)
	for _, w := range watchers[1:] {
		w.awaitSet(three)
	}
}

func tellsNewcomers(b *bench) {
	b.Set(reviews, one)
	old := b.watch(reviews)
	old.awaitSet(one)
	b.Set(reviews, three)
	old.awaitSet(three)
	newcomer := b.watch(reviews)
	newcomer.awaitSet(three)
	if len(newcomer.seen) != 1 {
		b.Errorf("a newcomer was told history: %s", newcomer.history())
	}
}

func endsWithContext(b *bench) {
	b.Set(reviews, one)
	known, unknown := b.watch(reviews), b.watch(ratings)
	known.awaitSet(one)
	unknown.awaitUnknown()
	known.stop()
	unknown.stop()
}

func endsAtOnce(b *bench) {
	b.Set(reviews, one)
	ctx, cancel := context.WithCancel(b.Context())
	cancel()
	b.awaitEnd(b.consume(ctx, func() bool { return true }), "it began with an ended context")
}

func endsOnBreak(b *bench) {
	b.Set(reviews, one)
	b.awaitEnd(b.consume(b.Context(), func() bool { return false }), "its consumer broke off")
}

// consume watches reviews for as long as more says so.
func (b *bench) consume(ctx context.Context, more func() bool) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range b.Source.Watch(ctx, service(reviews)) {
			if !more() {
				return
			}
		}
	}()
	return ended
}

func unknownThenThere(b *bench) {
	w := b.watch(reviews)
	w.awaitUnknown()
	b.Set(reviews, three)
	w.awaitSet(three)
}

// A registry without a service may call it unknown or empty; what matters is
// that its endpoints go, and come back.
func unknownAfterRemoval(b *bench) {
	b.Set(reviews, three)
	w := b.watch(reviews)
	w.awaitSet(three)
	b.Remove(reviews)
	w.await("ErrUnknown or no endpoints", func(n news) bool { return len(n.endpoints) == 0 })
	b.Set(reviews, one)
	w.awaitSet(one)
}

func goesOnAfterErrors(b *bench) {
	b.Set(reviews, one)
	w := b.watch(reviews)
	w.awaitSet(one)
	b.Break()
	w.awaitTrouble()
	b.Heal()
	b.Set(reviews, three)
	w.awaitSet(three)
	for _, n := range w.seen {
		if n.err == nil && len(n.endpoints) == 0 {
			b.Errorf("trouble was told as an empty set: %s", w.history())
		}
	}
}

func tellsTroubleToNewcomers(b *bench) {
	b.Set(reviews, one)
	b.Break()
	w := b.watch(reviews)
	w.awaitTrouble()
	b.Heal()
	w.awaitSet(one)
}

func neverChangesYielded(b *bench) {
	b.Set(reviews, three)
	w := b.watch(reviews)
	w.awaitSet(three)
	for _, next := range [][]discovery.Endpoint{other, one, three} {
		b.Set(reviews, next)
		w.awaitSet(next)
	}
	w.stop()
	for _, n := range w.seen {
		if !reflect.DeepEqual(n.endpoints, n.copied) {
			b.Errorf("yielded %v, which became %v", addresses(n.copied), addresses(n.endpoints))
		}
	}
}

func doesNotKeepSlice(b *bench) {
	mine := slices.Clone(three)
	b.Set(reviews, mine)
	clear(mine)
	b.watch(reviews).awaitSet(three)
}

func bearsCrowds(b *bench) {
	b.Set(reviews, one)
	ctx, cancel := context.WithCancel(b.Context())
	var crowd sync.WaitGroup
	for range 8 {
		crowd.Go(func() {
			for range 20 {
				<-b.consume(ctx, func() bool { return false })
			}
		})
	}
	steady := b.watch(reviews)
	steady.awaitSet(one)
	for i := range 5 {
		next := discovery.Addresses(fmt.Sprintf("10.0.2.%d:9080", i+1))
		b.Set(reviews, next)
		steady.awaitSet(next)
	}
	crowd.Wait()
	cancel()
}
