package h2_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/h2"
)

var manyLimits = []h2.Config{{}, {MaxStreams: 1}, {MaxRequests: 3}, {MaxAge: time.Minute}}

func TestDrainedConnectionsEndWithTheirRequests(t *testing.T) {
	for _, limits := range manyLimits {
		play(t, limits, after(time.Second), func(t *testing.T, s *stage) {
			s.crowd(t, 1)
			s.want(t, 1, 1)
			got := make(chan error)
			go func() { got <- s.get(t.Context()) }()
			synctest.Wait()
			s.DrainTo("elsewhere:80")
			s.want(t, 1, 1)
			s.DrainTo("there:80")
			s.want(t, 1, 1)
			if err := <-got; err != nil {
				t.Error(err)
			}
			s.want(t, 1, 0)
			s.crowd(t, 1)
			s.want(t, 2, 1)
			s.DrainTo("there:80")
			s.want(t, 2, 0)
		})
	}
}

// The host may be back already: what is made for it then stands.
func TestWhatIsBeingMadeIsDrained(t *testing.T) {
	for _, limits := range manyLimits {
		play(t, limits, after(0), func(t *testing.T, s *stage) {
			s.slow = time.Second
			ctx, leave := context.WithTimeout(t.Context(), time.Millisecond)
			defer leave()
			_ = s.get(ctx)
			s.DrainTo("there:80")
			time.Sleep(time.Millisecond)
			s.crowd(t, 1)
			s.want(t, 2, 1)
		})
	}
}

func TestAPoolThatIsDrainedStillSends(t *testing.T) {
	for _, limits := range manyLimits {
		play(t, limits, after(time.Second), func(t *testing.T, s *stage) {
			s.slow = time.Second
			s.crowd(t, 1)
			s.Drain()
			for i := range int64(3) {
				s.crowd(t, 1)
				s.want(t, i+2, 0)
			}
			ctx, leave := context.WithTimeout(t.Context(), time.Millisecond)
			defer leave()
			_ = s.get(ctx)
			time.Sleep(2 * time.Second)
			s.want(t, 5, 0)
		})
	}
}
