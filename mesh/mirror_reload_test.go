package mesh_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

const mirrorRules = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - route: [{destination: {host: reviews}}]
    mirror: {host: shadow}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: split}
spec:
  hosts: [split]
  http:
  - route:
    - {destination: {host: one}, weight: 1}
    - {destination: {host: two}, weight: 1}
`

// A copy that waits for its body may be sent when other rules hold than those it
// was decided by. It still goes where it was meant to go, and leads nobody astray.
func TestACopyThatOutlivesItsRulesReachesItsOwnDestination(t *testing.T) {
	for name, before := range map[string]bool{"others are called before it": true, "others are called after it": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { copyAcrossRules(t, before) })
		})
	}
}

func copyAcrossRules(t *testing.T, before bool) {
	fleet := meshtest.New(t)
	var copies, strays atomic.Int64
	count := func(posts *atomic.Int64, text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				posts.Add(1)
			}
			fmt.Fprint(w, text)
		})
	}
	fleet.Start("reviews", count(new(atomic.Int64), "reviews"), nil)
	fleet.Start("shadow", count(&copies, "shadow"), nil)
	fleet.Start("one", count(&strays, "one"), nil)
	fleet.Start("two", count(&strays, "two"), nil)
	source := rules.Static(mirrorRules)
	client := fleet.Client(mesh.Config{Rules: source})

	callSplit := func() {
		for range 40 {
			resp, err := client.Get("http://split/")
			if err != nil {
				t.Fatal(err)
			}
			if got := bodyOf(t, resp); got != "one" && got != "two" {
				t.Fatalf("a request to split was answered by %s", got)
			}
		}
	}
	body := io.MultiReader(strings.NewReader("a body that can be had once")) // no GetBody
	resp, err := client.Post("http://reviews/", "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	if err := source.Update(mirrorRules, strings.NewReplacer("name: split", "name: more", "[split]", "[more]").Replace(mirrorRules[strings.LastIndex(mirrorRules, "apiVersion"):])); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	if before {
		callSplit()
	}
	bodyOf(t, resp) // now the copy is sent
	synctest.Wait()
	callSplit()
	if copies.Load() != 1 || strays.Load() != 0 {
		t.Errorf("%d copies at shadow, %d elsewhere; want 1 and 0", copies.Load(), strays.Load())
	}
}
