package mesh_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
)

// What is not the mesh's goes through the base itself, with all that it knows.
func TestABaseKeepsItsProtocols(t *testing.T) {
	c := carry(t, services{}, false, mesh.Config{})
	base := new(http.Transport)
	base.RegisterProtocol("own", canned{})
	resp := mustAnswer(t, c.mesh.Transport(base), get(t.Context(), "own://anything/").Request)
	_ = resp.Body.Close()
}

// The settings of a base that is in use are read while it sets itself up.
func TestABaseSetsItselfUpWhileItsSettingsAreRead(t *testing.T) {
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	http.DefaultTransport = nobody{}
	for range 50 {
		c := carry(t, services{"play": {"127.0.0.1:1"}}, false, mesh.Config{})
		var all sync.WaitGroup
		for _, url := range []string{"https://play/", "http://127.0.0.1:1/"} {
			all.Go(func() { _, _ = c.RoundTrip(get(t.Context(), url).Request) })
		}
		all.Wait()
	}
}
