package mesh_test

import (
	"context"
	"net"
	"os"
	"testing"
	"testing/synctest"
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

// A dialler goes by the clock, and may give up a moment before the context ends.
func TestWhoAsksInAHurryFailsForNobodyElse(t *testing.T) {
	hurried := func(s *scene, c *mesh.Config) {
		first := true
		c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if at, ok := ctx.Deadline(); ok && first {
				first = false
				<-time.After(time.Until(at))
				return nil, os.ErrDeadlineExceeded
			}
			return s.cables.dialContext(ctx, network, address)
		}
	}
	playWith(t, pooled(upgradePolicy), hurried, func(s *scene) {
		s.start("reviews", "only")
		ctx, cancel := context.WithTimeout(s.Context(), time.Second+time.Millisecond)
		defer cancel()
		asks := s.request("GET", "http://reviews/", "").WithContext(early{ctx})
		got := make(chan answer)
		go func() { got <- s.do(asks) }()
		synctest.Wait()
		s.want(s.get("http://reviews/"), "200")
		s.want(<-got, mesh.ErrTimeout.Error())
	})
}

// An early context says that it ends a moment before it does.
type early struct{ context.Context }

func (e early) Deadline() (time.Time, bool) {
	at, ok := e.Context.Deadline()
	return at.Add(-time.Millisecond), ok
}
