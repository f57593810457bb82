package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/retry"
)

const peakEWMA = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: play}
spec: {hosts: [play], ports: [{number: 80, name: http, protocol: HTTP}], resolution: STATIC, endpoints: [{address: 10.0.0.1}, {address: 10.0.0.2}]}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: play, annotations: {inmesh/balancer: PEAK_EWMA}}
spec: {host: play, trafficPolicy: {loadBalancer: {simple: LEAST_REQUEST}}}
`

// A line is a wire whose first try waits in line for a connection until it is given
// up, and whose second is answered after a second.
type line struct{ tries *int }

func (l line) Prepare(*Call)                {}
func (l line) Mirror(*Call, *plan.Mirror)   {}
func (l line) Again(*Call) bool             { return true }
func (l line) Abandon()                     {}
func (l line) Adopt(Fork)                   {}
func (l line) Fork(context.CancelFunc) Fork { *l.tries++; return place{line: l, number: *l.tries} }
func (l line) Send(context.Context, *Call)  {}

type place struct {
	line
	number int
}

func (p place) Send(ctx context.Context, c *Call) {
	if p.number == 2 {
		time.Sleep(time.Second)
		c.Outcome = Outcome{Try: retry.Try{Status: 200, GRPCStatus: -1}}
		return
	}
	<-ctx.Done()
	c.Outcome = Ended(ctx)
	c.Outcome.InLine = true
}

// Who loses a race in line for a connection has not got to its host: the wait says
// nothing of how quick that is.
func TestALoserInLineSaysNothingOfItsHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(Config{Events: deaf{}, Hedge: retry.Hedge{Max: 1, Delay: 10 * time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		e.Apply(planOf(t, peakEWMA))
		c := &Call{Request: plan.Request{Method: "GET", Authority: "play", Path: "/", Scheme: "http"}, Idempotent: true, Replayable: true, Start: time.Now()}
		if _, err := e.Route(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if err := e.Do(t.Context(), c, line{new(int)}); err != nil {
			t.Fatal(err)
		}
		answered := c.Host
		c.Finish()
		synctest.Wait()
		next := Call{Cluster: c.Cluster, Start: time.Now(), sent: time.Now()}
		if h, _, err := c.Cluster.pick(&next); h == answered || err != nil {
			t.Errorf("%v: the host that nobody has asked yet is taken for slower than the other", err)
		}
	})
}
