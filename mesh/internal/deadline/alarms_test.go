package deadline

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// Limits that come and go take the places of those before them, with later ends
// and with earlier ones: each ends at its own time.
func TestALimitInThePlaceOfAnotherEndsAtItsOwnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := new(Alarms)
		for range 2000 {
			began, d := time.Now(), time.Duration(1+rand.IntN(1000))*time.Millisecond
			l := new(Limit)
			l.Begin(shared, context.Background(), began.Add(d))
			if rand.IntN(4) > 0 {
				time.Sleep(rand.N(d))
				l.Stop()
				continue
			}
			<-l.Done()
			if passed := time.Since(began); passed != d || !l.Expired() {
				t.Fatalf("a limit of %v ended after %v: %v", d, passed, l.Err())
			}
		}
	})
}

func TestLimitsOneAfterTheOtherShareAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := new(Alarms)
		for range 1000 {
			l := new(Limit)
			l.Begin(shared, context.Background(), time.Now().Add(time.Minute))
			l.Stop()
			time.Sleep(time.Millisecond)
		}
		if len(shared.queue) != 1 || len(shared.idle) != 1 {
			t.Errorf("%d places, %d of them idle; want one", len(shared.queue), len(shared.idle))
		}
	})
}

// What a rush of requests has needed is given back once their time is over.
func TestPlacesThatNobodyTakesAgainAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared, limits := new(Alarms), make([]Limit, 100)
		for i := range limits {
			limits[i].Begin(shared, context.Background(), time.Now().Add(time.Duration(1+i)*time.Second))
		}
		for _, i := range rand.Perm(len(limits)) {
			limits[i].Stop()
		}
		last := new(Limit)
		last.Begin(shared, context.Background(), time.Now().Add(time.Hour))
		defer last.Stop()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(shared.queue) != 1 || len(shared.idle) != 0 {
			t.Errorf("%d places, %d of them idle; want that of the last limit", len(shared.queue), len(shared.idle))
		}
		if last.Err() != nil {
			t.Error("the last limit has ended")
		}
	})
}
