package breaker_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
)

// A step is what happens to a host at a time, and what comes of it.
//
//	do    "ok" "404" "500" "502" "local" "ignored": a request that ends so
//	      "send a": a request that goes on; "a 500": its end
//	      "tick": the owner's timer
//	want  "": nothing; "open", "probing": refused; otherwise the event
type step struct {
	at   time.Duration
	do   string
	want string
}

// A host replays steps on one circuit.
type host struct {
	circuit *breaker.Circuit
	start   time.Time
	sent    map[string]breaker.Permit
}

func newHost(d *breaker.Detector) *host {
	return &host{circuit: d.NewCircuit(), start: time.Now(), sent: make(map[string]breaker.Permit)}
}

func (h *host) run(t *testing.T, steps []step) {
	t.Helper()
	for i, s := range steps {
		if got := h.do(s.do, h.start.Add(s.at)); got != s.want {
			t.Fatalf("step %d, %q at %v: got %q, want %q (%+v)", i, s.do, s.at, got, s.want, h.circuit.Info(h.start.Add(s.at)))
		}
	}
}

func (h *host) do(what string, now time.Time) string {
	var id, how string
	switch n, _ := fmt.Sscanf(what, "%s %s", &id, &how); {
	case what == "tick":
		return h.show(h.circuit.Tick(now))
	case id == "send":
		return h.send(how, now)
	case n == 2:
		return h.show(h.circuit.Report(h.sent[id], outcome(how), now))
	}
	if refusal := h.send("", now); refusal != "" {
		return refusal
	}
	return h.show(h.circuit.Report(h.sent[""], outcome(what), now))
}

func (h *host) send(id string, now time.Time) string {
	closed := h.circuit.State() == breaker.Closed
	quick, passed := h.circuit.Pass()
	permit, err := h.circuit.Allow(now)
	if passed != closed || passed && quick != permit {
		return "Pass and Allow disagree"
	}
	h.sent[id] = permit
	switch {
	case errors.Is(err, breaker.ErrOpen):
		return "open"
	case errors.Is(err, breaker.ErrProbing):
		return "probing"
	case err != nil:
		return err.Error()
	}
	return ""
}

func (h *host) show(e breaker.Event) string {
	switch e.Kind {
	case breaker.Nothing:
		return ""
	case breaker.Ejected:
		return fmt.Sprintf("ejected until %v, ×%d, %v", e.Until.Sub(h.start), e.Times, e.Reason)
	case breaker.NotEnforced:
		return fmt.Sprintf("not enforced, %v", e.Reason)
	}
	return e.Kind.String()
}

func outcome(name string) breaker.Outcome {
	switch name {
	case "local":
		return breaker.LocalFailure
	case "ignored":
		return breaker.Ignored
	case "ok":
		return breaker.OutcomeOf(200)
	}
	var status int
	if _, err := fmt.Sscan(name, &status); err != nil {
		panic("no such outcome: " + name)
	}
	return breaker.OutcomeOf(status)
}

const s = time.Second

func TestFive5xxInARowEjectAtTheFifth(t *testing.T) {
	newHost(breaker.NewDetector(breaker.DefaultOutlier())).run(t, []step{
		{0, "500", ""}, {0, "503", ""}, {0, "500", ""}, {0, "500", ""},
		{1 * s, "500", "ejected until 31s, ×1, consecutive5xxErrors"},
		{1 * s, "ok", "open"},
	})
}

func TestAnySuccessBetweenStartsTheCountAgain(t *testing.T) {
	newHost(breaker.NewDetector(breaker.DefaultOutlier())).run(t, []step{
		{0, "500", ""}, {0, "500", ""}, {0, "500", ""}, {0, "500", ""},
		{0, "404", ""},
		{0, "500", ""}, {0, "500", ""}, {0, "500", ""}, {0, "500", ""},
		{0, "ignored", ""},
		{0, "local", "ejected until 30s, ×1, consecutive5xxErrors"},
	})
}

func TestOneProbeBringsAHostBack(t *testing.T) {
	newHost(once()).run(t, []step{
		{0, "500", "ejected until 30s, ×1, consecutive5xxErrors"},
		{29 * s, "tick", ""},
		{29 * s, "ok", "open"},
		{30 * s, "tick", "half-opened"},
		{30 * s, "tick", ""},
		{30 * s, "send probe", ""},
		{31 * s, "send another", "probing"},
		{32 * s, "probe ok", "readmitted"},
		{32 * s, "ok", ""},
		{32 * s, "tick", ""},
	})
}

func TestTheEndOfAnEjectionNeedsNoTimer(t *testing.T) {
	newHost(once()).run(t, []step{
		{0, "500", "ejected until 30s, ×1, consecutive5xxErrors"},
		{30 * s, "ok", "readmitted"},
	})
}

func TestEachFailedProbeEjectsForLonger(t *testing.T) {
	newHost(once()).run(t, []step{
		{0, "500", "ejected until 30s, ×1, consecutive5xxErrors"},
		{30 * s, "500", "ejected until 1m30s, ×2, failed probe"},
		{60 * s, "ok", "open"},
		{90 * s, "local", "ejected until 3m0s, ×3, failed probe"},
		{180 * s, "tick", "half-opened"},
		{500 * s, "502", "ejected until 10m20s, ×4, failed probe"},
		{620 * s, "ok", "readmitted"},
	})
}

func TestAnEjectionLastsAtMost300SecondsOrTheBase(t *testing.T) {
	for _, test := range []struct {
		base time.Duration
		want []string
	}{
		{120 * s, []string{"2m0s, ×1", "6m0s, ×2", "11m0s, ×3", "16m0s, ×4", "21m0s, ×4"}},
		{400 * s, []string{"6m40s, ×1", "13m20s, ×2", "20m0s, ×2"}},
	} {
		o := breaker.DefaultOutlier()
		o.Consecutive5xx, o.BaseEjectionTime = 1, test.base
		h := newHost(breaker.NewDetector(o))
		reason := "consecutive5xxErrors"
		for _, want := range test.want {
			until := h.circuit.Info(h.start).Until
			if until.IsZero() {
				until = h.start
			}
			h.run(t, []step{{until.Sub(h.start), "500", "ejected until " + want + ", " + reason}})
			reason = "failed probe"
		}
	}
}

func TestEachIntervalInRotationForgivesOneEjection(t *testing.T) {
	newHost(once()).run(t, []step{
		{0, "500", "ejected until 30s, ×1, consecutive5xxErrors"},
		{30 * s, "500", "ejected until 1m30s, ×2, failed probe"},
		{90 * s, "500", "ejected until 3m0s, ×3, failed probe"},
		{180 * s, "ok", "readmitted"},
		{199 * s, "500", "ejected until 4m49s, ×3, consecutive5xxErrors"}, // 3 less 1, plus 1
		{289 * s, "ok", "readmitted"},
		{999 * s, "500", "ejected until 17m9s, ×1, consecutive5xxErrors"}, // not below 0
	})
}

func TestOutcomesFromBeforeAnEjectionCountForNothing(t *testing.T) {
	newHost(once()).run(t, []step{
		{0, "send early", ""}, {0, "send late", ""},
		{0, "500", "ejected until 30s, ×1, consecutive5xxErrors"},
		{1 * s, "early ok", ""},
		{1 * s, "ok", "open"},
		{30 * s, "send probe", ""},
		{31 * s, "late 500", ""},
		{31 * s, "send another", "probing"},
		{32 * s, "probe ok", "readmitted"},
		{33 * s, "late 500", ""},
		{33 * s, "probe 500", ""},
		{33 * s, "ok", ""},
	})
}

func TestAProbeWithoutVerdictMakesRoomForTheNext(t *testing.T) {
	newHost(once()).run(t, []step{
		{0, "500", "ejected until 30s, ×1, consecutive5xxErrors"},
		{30 * s, "send probe", ""},
		{30 * s, "send another", "probing"},
		{31 * s, "probe ignored", ""},
		{31 * s, "send another", ""},
		{31 * s, "probe 500", ""},
		{32 * s, "another ok", "readmitted"},
	})
}

func TestAProbeThatNeverReportsIsGivenUpAfterTheBaseTime(t *testing.T) {
	newHost(once()).run(t, []step{
		{0, "500", "ejected until 30s, ×1, consecutive5xxErrors"},
		{30 * s, "send lost", ""},
		{59 * s, "send next", "probing"},
		{60 * s, "send next", ""},
		{60 * s, "send more", "probing"},
		{61 * s, "lost 500", ""},
		{62 * s, "next ok", "readmitted"},
	})
}

func TestGatewayErrorsAreCountedApart(t *testing.T) {
	o := breaker.DefaultOutlier()
	o.ConsecutiveGateway = 3
	newHost(breaker.NewDetector(o)).run(t, []step{
		{0, "502", ""}, {0, "503", ""},
		{0, "500", ""}, // starts the gateway count again, not the 5xx count
		{0, "504", ""},
		{0, "local", "ejected until 30s, ×1, consecutive5xxErrors"},
		{30 * s, "ok", "readmitted"},
		{100 * s, "502", ""}, {100 * s, "local", ""},
		{100 * s, "504", "ejected until 2m10s, ×1, consecutiveGatewayErrors"},
	})
}

func TestWithoutASplitLocalFailuresAreGatewayErrors(t *testing.T) {
	o := breaker.DefaultOutlier()
	o.Consecutive5xx, o.ConsecutiveGateway, o.ConsecutiveLocalOrigin = 0, 2, 1
	newHost(breaker.NewDetector(o)).run(t, []step{
		{0, "local", ""},
		{0, "local", "ejected until 30s, ×1, consecutiveGatewayErrors"},
	})
}

func TestWithASplitLocalFailuresCountOnlyToThemselves(t *testing.T) {
	o := breaker.DefaultOutlier()
	o.SplitLocalOrigin, o.Consecutive5xx, o.ConsecutiveGateway, o.ConsecutiveLocalOrigin = true, 3, 3, 2
	newHost(breaker.NewDetector(o)).run(t, []step{
		{0, "local", ""},
		{0, "500", ""}, // an answer: the host was reached
		{0, "local", ""},
		{0, "ok", ""},
		{0, "local", ""},
		{0, "local", "ejected until 30s, ×1, consecutiveLocalOriginFailures"},
		{30 * s, "local", "ejected until 1m30s, ×2, failed probe"},
		{90 * s, "ok", "readmitted"},
		{90 * s, "502", ""}, {90 * s, "local", ""}, {90 * s, "502", ""},
		{90 * s, "502", "ejected until 3m0s, ×3, consecutiveGatewayErrors"},
	})
}

func TestAProbeIsJudgedByTheDetectorsThatAreOn(t *testing.T) {
	o := breaker.DefaultOutlier()
	o.Consecutive5xx, o.ConsecutiveGateway = 0, 1
	newHost(breaker.NewDetector(o)).run(t, []step{
		{0, "502", "ejected until 30s, ×1, consecutiveGatewayErrors"},
		{30 * s, "500", "readmitted"},
	})
	o.SplitLocalOrigin, o.ConsecutiveLocalOrigin = true, 0
	newHost(breaker.NewDetector(o)).run(t, []step{
		{0, "502", "ejected until 30s, ×1, consecutiveGatewayErrors"},
		{30 * s, "local", ""}, // nobody minds, and nobody was reached: no verdict
		{31 * s, "502", "ejected until 1m31s, ×2, failed probe"},
	})
}

func TestTheZeroOutlierDetectsNothing(t *testing.T) {
	h := newHost(breaker.NewDetector(breaker.Outlier{}))
	for range 100 {
		h.run(t, []step{{0, "500", ""}, {0, "local", ""}})
	}
}

func TestInfoTellsWhatIsKnown(t *testing.T) {
	h := newHost(once())
	h.run(t, []step{{0, "500", "ejected until 30s, ×1, consecutive5xxErrors"}, {30 * s, "send probe", ""}})
	want := breaker.Info{
		State: breaker.HalfOpen, Times: 1, Reason: breaker.FiveXX, Probing: true,
		Since: h.start, Until: h.start.Add(30 * s),
	}
	if got := h.circuit.Info(h.start.Add(30 * s)); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestTheHealthyPathDoesNotAllocate(t *testing.T) {
	c := breaker.NewDetector(breaker.DefaultOutlier()).NewCircuit()
	now := time.Now()
	allocs := testing.AllocsPerRun(100, func() {
		permit, _ := c.Allow(now)
		c.Report(permit, breaker.Success, now)
	})
	if allocs != 0 {
		t.Errorf("%v allocations, want 0", allocs)
	}
}

// once ejects at the first failure.
func once() *breaker.Detector {
	o := breaker.DefaultOutlier()
	o.Consecutive5xx = 1
	return breaker.NewDetector(o)
}
