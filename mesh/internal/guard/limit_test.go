package guard_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/guard"
)

const slowSearch = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - name: search
    match: [{uri: {prefix: /search}}]
    route: [{destination: {host: reviews}}]
  - name: rest
    route: [{destination: {host: reviews}}]
---
apiVersion: policy.linkerd.io/v1alpha1
kind: HTTPLocalRateLimitPolicy
metadata: {name: search}
spec:
  targetRef: {group: gateway.networking.k8s.io, kind: HTTPRoute, name: search}
  total: {requestsPerSecond: 1}
`

// The caller does not get away from a route's rate by addressing the workload
// by a name that no rule knows.
func TestTheRateOfARouteHoldsForWhateverHostTheCallerWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, guard.Config{}, slowSearch)
		for i, host := range []string{"reviews:9080", "reviews", "REVIEWS", "evil.example", "", "10.0.0.1:9080"} {
			v := visit(nil, "/search")
			v.Host = host
			d.admits(v, map[bool]int{true: 0, false: http.StatusTooManyRequests}[i == 0])
			d.admits(visit(nil, "/7"), 0)
		}
		time.Sleep(time.Second) // paused time
		d.admits(visit(nil, "/search"), 0)
		d.obey("") // from now on there is no bound
		d.admits(visit(nil, "/search"), 0)
	})
}
