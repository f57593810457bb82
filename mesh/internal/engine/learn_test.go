package engine

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/retry"
)

// A second is a wire whose second try is the one that succeeds.
type second struct{ line }

func (s second) Send(_ context.Context, c *Call) {
	c.Outcome = Outcome{Try: retry.Try{Status: 200, GRPCStatus: -1}}
	if *s.tries++; *s.tries == 1 {
		c.Outcome = Failed(retry.ConnectFailure, errNoEndpoints)
	}
}

// The policy may come to measure hosts while a call is under way: from one whose time
// it has not taken it learns nothing.
func TestACallOlderThanTheMeasuringIsNotMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(Config{Events: deaf{}})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		e.Apply(planOf(t, strings.Replace(peakEWMA, ", annotations: {inmesh/balancer: PEAK_EWMA}", "", 1)))
		c := &Call{Request: plan.Request{Method: "GET", Authority: "play", Path: "/", Scheme: "http"}, Idempotent: true, Replayable: true, Start: time.Now()}
		if _, err := e.Route(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if err := e.Do(t.Context(), c, second{line{new(int)}}); err != nil || c.Tries != 2 {
			t.Fatalf("%v after %d tries", err, c.Tries)
		}
		e.Apply(planOf(t, peakEWMA))
		c.Finish()
		picked := map[*Host]int{}
		for range 200 {
			next := Call{Cluster: c.Cluster, Start: time.Now(), sent: time.Now()}
			h, _, err := c.Cluster.pick(&next)
			if err != nil {
				t.Fatal(err)
			}
			picked[h]++
		}
		if len(picked) != 2 {
			t.Error("one of two hosts of which nothing is known is taken for the quicker one")
		}
	})
}
