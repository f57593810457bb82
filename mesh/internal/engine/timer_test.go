package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

const oneStrike = entry + "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: play}\nspec: {host: play, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1, baseEjectionTime: 30s}}}\n"

// A probe may fail in the very moment in which it is waited for no longer. The
// ejection that follows ends like any other, whichever of the two is first: else
// nobody would ask the host any more.
func TestAnEjectionEndsWhereItsProbeFailsAsItsTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(Config{Events: deaf{}})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		e.Apply(planOf(t, oneStrike))
		cl := e.live(plan.ClusterKey{Host: "play.default.svc.cluster.local", Port: 80})
		for range 3000 {
			call := Call{Cluster: cl, Start: time.Now(), sent: time.Now()}
			h, permit, err := cl.pick(&call)
			if err != nil {
				t.Fatalf("%v after %v", err, cl.CircuitInfo(cl.Hosts()[0], time.Now()))
			}
			if cl.Hosts()[0].State.circuit.State() == breaker.HalfOpen {
				time.Sleep(30 * time.Second)
			}
			cl.report(h, permit, breaker.LocalFailure, time.Now())
			time.Sleep(301 * time.Second)
			synctest.Wait()
		}
	})
}
