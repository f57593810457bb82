package mesh_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
)

// constant answers every request in memory; hosts whose address it is told fail.
type constant struct{ failing atomic.Pointer[string] }

func (c *constant) RoundTrip(r *http.Request) (*http.Response, error) {
	status := http.StatusOK
	if bad := c.failing.Load(); bad != nil && *bad == r.URL.Host {
		status = http.StatusInternalServerError
	}
	return &http.Response{StatusCode: status, Header: http.Header{"X-Host": {r.URL.Host}}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// A host that comes back is probed by one request; of all others that its key
// leads to it, none fails for that.
func TestAProbeCostsNoOtherRequest(t *testing.T) {
	base := &constant{}
	c := carry(t, services{"play": {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"}}, false, mesh.Config{}, policy("play",
		"{loadBalancer: {consistentHash: {httpHeaderName: x-user}}, outlierDetection: {consecutive5xxErrors: 1, baseEjectionTime: 1ms, maxEjectionPercent: 50}}"))
	rt := c.mesh.Transport(base)
	ask := func() (host string, err error) {
		r := get(t.Context(), "http://play/").Request
		r.Header.Set("X-User", "u")
		resp, err := rt.RoundTrip(r)
		if err != nil {
			return "", err
		}
		return resp.Header.Get("X-Host"), resp.Body.Close()
	}
	home, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		base.failing.Store(&home)
		for c.blamed() == 0 {
			if _, err := ask(); err != nil {
				t.Fatal(err)
			}
		}
		base.failing.Store(nil)
		var callers sync.WaitGroup
		for range 8 {
			callers.Go(func() {
				for c.blamed() > 0 {
					if _, err := ask(); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		callers.Wait()
	}
}
