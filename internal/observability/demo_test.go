package observability_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/examples/bookinfo/fleet"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// demo starts what examples/bookinfo shows, by its rules as they stand, each process
// with an SDK of its own, and reads its page until the test is over.
func demo(t *testing.T, s *sdks) {
	t.Helper()
	f, err := fleet.Start(t.Context(), fleet.Config{
		Rules:     "../../examples/bookinfo/rules",
		Telemetry: func(service, version string) telemetry.Config { return s.sdk(t, service, version) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	crowd(t, f.Page(), "")
}

// visit is a person's request, from outside the mesh.
func visit(ctx context.Context, page, mood string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return err
	}
	req.Header.Set(moodHeader, mood)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// crowd visits until the test is over, in all of the moods.
func crowd(t *testing.T, page string, moods ...string) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	busy(t, func() {
		for _, mood := range moods {
			_ = visit(context.Background(), page, mood) // what comes of it, Prometheus is asked
		}
	})
}

// busy does something again and again until the test is over.
func busy(t *testing.T, do func()) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			do()
			<-tick.C
		}
	}()
	t.Cleanup(func() { stop(); <-done })
}
