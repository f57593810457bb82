package guard_test

import (
	"context"
	"crypto/tls"
	"strings"
	"sync"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/tlsid"
)

// Rules, roots and certificates change under load. Whoever may come in under all
// of them is never refused, and whoever may not is never let in.
func TestChangesUnderLoadLetNobodyInAndRefuseNobody(t *testing.T) {
	d := newDoor(t, guard.Config{}, whoMay)
	other := newCA(t, tlsid.CAConfig{})
	good, bad := d.state("productpage"), d.state("ratings")
	var load sync.WaitGroup
	stop := make(chan struct{})
	for range 2 {
		load.Go(func() { d.press(stop, good, bad) })
	}
	narrower := strings.ReplaceAll(whoMay, "/reviews/*", "/reviews/7")
	for i := range 60 {
		d.obey([]string{whoMay, narrower}[i%2])
		if i%2 == 0 {
			d.trusts(d.ca, other)
		} else {
			d.trusts(d.ca)
		}
	}
	close(stop)
	load.Wait()
}

func (d *door) press(stop <-chan struct{}, good, bad *tls.ConnectionState) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		if r := d.Admit(context.Background(), visit(good, "/reviews/7")); r != nil {
			d.t.Errorf("productpage: %v", r)
		}
		if r := d.Admit(context.Background(), visit(bad, "/reviews/7")); r == nil {
			d.t.Error("ratings was let in")
		}
	}
}
