package mesh_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestACopyOutlivesItsCallersTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := meshtest.New(t)
		done := make(chan error, 1)
		slow := func(tell func(error)) http.Handler {
			return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-time.After(5 * time.Second):
					tell(nil)
				case <-r.Context().Done():
					tell(r.Context().Err())
				}
			})
		}
		fleet.Start("reviews", slow(func(error) {}), nil)
		fleet.Start("shadow", slow(func(err error) { done <- err }), nil)
		client := fleet.Client(mesh.Config{Rules: rules.Static(mirrorRules)})
		client.Timeout = time.Second
		if resp, err := client.Get("http://reviews/"); err == nil {
			resp.Body.Close()
			t.Fatal("the caller's time was not up")
		}
		if err := <-done; err != nil {
			t.Errorf("the copy was ended: %v", err)
		}
	})
}
