package meshtest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func say(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
}

func get(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestServicesAnswerInPausedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := meshtest.New(t)
		fleet.Start("reviews", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(time.Hour):
			case <-r.Context().Done():
			}
			fmt.Fprint(w, "at last")
		}), nil)
		began := time.Now()
		if got := get(t, fleet.Client(mesh.Config{}), "http://reviews/"); got != "at last" {
			t.Errorf("got %q", got)
		}
		if took := time.Since(began); took != time.Hour {
			t.Errorf("took %v, want an hour of paused time", took)
		}
	})
}

// The commonest handler of a test of a timeout sleeps, and looks at no context: in a
// bubble one that outlived the test would be a deadlock, and elsewhere a leak.
func TestAFleetWaitsForItsHandlers(t *testing.T) {
	var returned atomic.Bool
	synctest.Test(t, func(t *testing.T) {
		fleet := meshtest.New(t)
		fleet.Start("reviews", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			time.Sleep(time.Hour)
			returned.Store(true)
		}), nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://reviews/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := fleet.Client(mesh.Config{}).Do(r); err == nil {
			resp.Body.Close()
			t.Errorf("got %v, want a timeout", resp.Status)
		}
	})
	if !returned.Load() {
		t.Error("the test was over before the handler")
	}
}

func TestAnInstanceThatRefusesIsAvoided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := meshtest.New(t)
		fleet.Start("reviews", say("good"), nil)
		bad := fleet.Start("reviews", say("bad"), nil)
		client := fleet.Client(mesh.Config{})
		bad.Refuse()
		for range 20 {
			if got := get(t, client, "http://reviews/"); got != "good" {
				t.Fatalf("got %q from an instance that refuses connections", got)
			}
		}
	})
}

func TestRulesHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := meshtest.New(t)
		fleet.Start("reviews", say("v1"), meshtest.Labels{"version": "v1"})
		fleet.Start("reviews", say("v2"), meshtest.Labels{"version": "v2"})
		client := fleet.Client(mesh.Config{Rules: rules.Static(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - route: [{destination: {host: reviews, subset: v2}}]
`)})
		for range 20 {
			if got := get(t, client, "http://reviews/"); got != "v2" {
				t.Fatalf("got %q, the rule says v2", got)
			}
		}
	})
}
