package report_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Both sides of the table call each flag by the same short code.
func TestFlagsKeepTheirNames(t *testing.T) {
	for f := engine.NoRoute; f <= engine.FaultInjected; f <<= 1 {
		if got, want := report.Flags(f).String(), f.String(); got != want {
			t.Errorf("flag %d: got %q, want %q", f, got, want)
		}
	}
	if got := report.Flags(engine.ConnectFailure | engine.RetriesExhausted).String(); got != "UF,URX" {
		t.Errorf("got %q, want both in Envoy's order", got)
	}
	for flag, want := range map[string]string{"UAEX": "UAEX", "RL": "RL", "": "-"} {
		if got := report.Refused(&guard.Refusal{Flag: flag}).String(); got != want {
			t.Errorf("a refusal with %q: got %q, want %q", flag, got, want)
		}
	}
}
