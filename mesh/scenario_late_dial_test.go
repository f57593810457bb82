package mesh_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
)

// A caller may leave before its connection stands, and be gone for good when it
// does, for a dial may end in the same moment as what it was for. It is closed.
func TestAConnectionThatComesTooLateIsClosed(t *testing.T) {
	for name, settings := range map[string]string{
		"HTTP/1.1": "{tcp: {maxConnections: 9}}",
		"HTTP/2":   upgradePolicy,
		"streams":  "{http: {h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 10}}",
	} {
		t.Run(name, func(t *testing.T) {
			slow := 1 // which dial is
			if name != "HTTP/1.1" {
				slow = 2 // the first finds out
			}
			hang := func(s *scene, c *mesh.Config) {
				c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
					if slow--; slow == 0 {
						<-time.After(5 * time.Second)
					}
					return s.cables.dialContext(context.WithoutCancel(ctx), network, address)
				}
			}
			playWith(t, pooled(settings), hang, func(s *scene) {
				s.start("reviews", "only")
				r := s.request("PUT", "http://reviews/", "body")
				r.GetBody = nil // so that net/http carries it
				ctx, cancel := context.WithTimeout(s.Context(), time.Second)
				defer cancel()
				began := time.Now()
				s.want(s.do(r.WithContext(ctx)), mesh.ErrTimeout.Error())
				s.took(began, time.Second)
				if err := s.mesh.Close(); err != nil {
					t.Error(err)
				}
				s.pass(10 * time.Second)
				if dials, open := s.cables.counts(); open != 0 {
					t.Errorf("%d of %d connections stand", open, dials)
				}
				s.client.CloseIdleConnections()
			})
		})
	}
}
