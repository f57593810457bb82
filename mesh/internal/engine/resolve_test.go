package engine

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"testing/synctest"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// A zone is a Source that knows the addresses of some names. It says what it knows
// again whenever told to.
type zone struct {
	known map[string]string
	again map[string]chan struct{}
}

func (z zone) Watch(ctx context.Context, s discovery.Service) iter.Seq2[[]discovery.Endpoint, error] {
	return func(yield func([]discovery.Endpoint, error) bool) {
		for {
			eps, err := discovery.Addresses(z.known[s.Name]), error(nil)
			if z.known[s.Name] == "" {
				eps, err = nil, fmt.Errorf("%w %q", discovery.ErrUnknown, s.Name)
			}
			if !yield(eps, err) {
				return
			}
			select {
			case <-z.again[s.Name]:
			case <-ctx.Done():
				return
			}
		}
	}
}

const twoNames = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: play}
spec: {hosts: [play], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS, endpoints: [{address: one.example}, {address: two.example}]}
`

// A name that does not exist takes nothing from those that do.
func TestANameThatDoesNotExistLeavesTheOthersTheirAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(Config{Events: deaf{}})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		z := zone{map[string]string{"one.example": "10.0.0.1:80"}, map[string]chan struct{}{"one.example": make(chan struct{}), "two.example": make(chan struct{})}}
		e.dns = z
		e.Apply(planOf(t, twoNames))
		cl := e.live(plan.ClusterKey{Host: "play.default.svc.cluster.local", Port: 80})
		for _, next := range []string{"two.example", "one.example", "two.example"} {
			z.again[next] <- struct{}{}
			synctest.Wait()
			if n := len(cl.Hosts()); n != 1 || cl.strange() {
				t.Errorf("%d hosts after %s was asked for again, want the one that exists", n, next)
			}
		}
		if _, trouble := cl.Discovered(); trouble == nil {
			t.Error("nobody is told of the name that does not exist")
		}
		delete(z.known, "one.example")
		z.again["one.example"] <- struct{}{}
		synctest.Wait()
		if n := len(cl.Hosts()); n != 0 || !cl.strange() {
			t.Errorf("%d hosts where no name exists any more", n)
		}
	})
}
