package mesh_test

import (
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/retry"
)

// slow answers after d, or when its caller has gone.
func slow(d time.Duration, text string, calls, gone *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		select {
		case <-time.After(d):
			fmt.Fprint(w, text)
		case <-r.Context().Done():
			gone.Add(1)
		}
	})
}

func TestAHedgeOvertakesASlowHostAndCancelsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := meshtest.New(t)
		var calls, gone atomic.Int64
		fleet.Start("reviews", slow(time.Minute, "slow", &calls, &gone), nil)
		fleet.Start("reviews", slow(time.Millisecond, "quick", &calls, &gone), nil)
		client := fleet.Client(mesh.Config{Hedge: retry.Hedge{Delay: 50 * time.Millisecond, Max: 1}})
		for range 20 {
			began := time.Now()
			resp, err := client.Get("http://reviews/")
			if err != nil {
				t.Fatal(err)
			}
			if got := bodyOf(t, resp); got != "quick" {
				t.Fatalf("got %q", got)
			}
			if took := time.Since(began); took > 60*time.Millisecond {
				t.Fatalf("took %v: the hedge starts after 50ms", took)
			}
		}
		synctest.Wait()
		if calls.Load()-20 != gone.Load() {
			t.Errorf("%d tries, of which 20 answered, but %d were cancelled", calls.Load(), gone.Load())
		}
	})
}

func TestARequestThatIsNotIdempotentIsNotHedged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := meshtest.New(t)
		var calls, gone atomic.Int64
		for range 2 {
			fleet.Start("reviews", slow(time.Second, "done", &calls, &gone), nil)
		}
		client := fleet.Client(mesh.Config{Hedge: retry.Hedge{Delay: 50 * time.Millisecond, Max: 3}})
		resp, err := client.Post("http://reviews/", "text/plain", nil)
		if err != nil {
			t.Fatal(err)
		}
		bodyOf(t, resp)
		if calls.Load() != 1 {
			t.Errorf("%d tries of a POST, want 1", calls.Load())
		}
	})
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
