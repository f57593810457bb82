package engine

import (
	"context"
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"weak"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/retry"
)

func connected(t *testing.T, e *Engine, dial func(context.Context) Outcome) (*Call, error) {
	t.Helper()
	c := &Call{Request: plan.Request{Authority: "play:80"}}
	if ours, err := e.RouteTCP(t.Context(), c, netip.AddrPort{}); !ours || err != nil {
		t.Fatalf("ours %t, %v", ours, err)
	}
	return c, e.Connect(t.Context(), c, dial)
}

func made(context.Context) Outcome { return Outcome{Try: retry.Try{GRPCStatus: -1}} }

// A connection may stand for days, and rules be edited every minute: what it keeps of
// the plan that it was made by would add up.
func TestAConnectionThatStandsKeepsNoPlan(t *testing.T) {
	e, err := New(Config{Events: deaf{}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	old := planOf(t, withSubset)
	e.Apply(old)
	c, err := connected(t, e, made)
	if err != nil {
		t.Fatal(err)
	}
	c.Settle()
	kept := weak.Make(old)
	old = nil
	e.Apply(planOf(t, withoutSubset))
	for range 10 { // finalisers may need a round of their own
		runtime.GC()
	}
	if kept.Value() != nil {
		t.Error("the plan is still there")
	}
	if n := c.Cluster.Gate().Usage().Connections; n != 1 {
		t.Errorf("%d connections stand", n)
	}
	c.Disconnect()
	if n, active := c.Cluster.Gate().Usage().Connections, c.Host.Active(); n != 0 || active != 0 {
		t.Errorf("%d connections stand, %d on the host", n, active)
	}
}

// Whatever becomes of the dial, its places are given back.
func TestADialThatFailsGivesBackItsPlaces(t *testing.T) {
	e, err := New(Config{Events: deaf{}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	e.Apply(planOf(t, withSubset))
	for _, failure := range []retry.Failure{retry.ConnectFailure, retry.Overflow, retry.Canceled, retry.DeadlineExceeded} {
		cause := errors.New("no")
		c, err := connected(t, e, func(context.Context) Outcome { return Failed(failure, cause) })
		if !errors.Is(err, cause) {
			t.Errorf("%v: got %v", failure, err)
		}
		if n, active := c.Cluster.Gate().Usage().Connections, c.Host.Active(); n != 0 || active != 0 {
			t.Errorf("%v: %d connections stand, %d on the host", failure, n, active)
		}
	}
}
