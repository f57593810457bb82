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

// late answers its first request when it may, whoever has given it up meanwhile.
type late struct {
	calls     atomic.Int64
	may, gone chan struct{} // gone is closed with the first answer's body
}

func (l *late) RoundTrip(r *http.Request) (*http.Response, error) {
	resp := &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Body: http.NoBody, Request: r}
	if l.calls.Add(1) == 1 {
		<-l.may
		resp.Body = unread{l.gone}
	}
	return resp, nil
}

type unread struct{ closed chan struct{} }

func (u unread) Read([]byte) (int, error) { return 0, io.EOF }
func (u unread) Close() error             { close(u.closed); return nil }

// When the caller has read its answer, the request is its own again, headers and all,
// even while a try that was overtaken is still under way.
func TestWhoIsOvertakenLeavesTheRequestAlone(t *testing.T) {
	base := &late{may: make(chan struct{}), gone: make(chan struct{})}
	c := carry(t, services{"reviews": {"127.0.0.1:1", "127.0.0.1:2"}}, false,
		mesh.Config{Hedge: retry.Hedge{Delay: time.Millisecond, Max: 1}})
	r := get(t.Context(), "http://reviews/").Request
	r.Method = http.MethodPost // of which it matters what kind it is
	r.Header["Idempotency-Key"] = []string{"1"}
	resp, err := c.mesh.Transport(base).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = bodyOf(t, resp)
	close(base.may)
	r.Header.Set("Content-Type", "text/plain")
	<-base.gone
}
