package mesh_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A pier is a port on a socket of the kernel, with a caller.
type pier struct {
	*testing.T
	caller, host *mesh.Mesh
	heard        [2]*audience // caller's, host's
	lis          net.Listener
}

func pierAt(t *testing.T, mode string, documents ...string) *pier {
	t.Helper()
	fleet, dialer := meshtest.New(t), new(net.Dialer)
	p := &pier{T: t, heard: [2]*audience{newAudience(sdktrace.NeverSample()), newAudience(sdktrace.NeverSample())}}
	host := mesh.Config{
		Workload: mesh.Workload{Service: "cache"}, Identity: fleet.Identity("cache"), Telemetry: p.heard[1].config(),
		Rules: rules.Static(rule("PeerAuthentication", "ns", "{mtls: {mode: "+mode+"}}")),
	}
	p.host = fleet.Mesh(host)
	caller := mesh.Config{Workload: mesh.Workload{Service: "productpage"}, DialContext: dialer.DialContext, Telemetry: p.heard[0].config(), Rules: rules.Static(documents...)}
	identity := ""
	if mode != "DISABLE" {
		caller.Identity, identity = fleet.Identity("productpage"), accountOf("cache")
	}
	p.caller = fleet.Mesh(caller)
	lis, err := p.host.ListenTCP("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	if err := fleet.Discovery().Set("cache", []discovery.Endpoint{{Address: lis.Addr().String(), Identity: identity}}); err != nil {
		t.Fatal(err)
	}
	p.lis = lis
	return p
}

// pair is both ends of a connection; the caller's speaks first.
func (p *pier) pair() (caller, host net.Conn) {
	p.Helper()
	caller, err := p.caller.DialContext(p.Context(), "tcp", "cache:6379")
	if err != nil {
		p.Fatal(err)
	}
	if _, err := caller.Write([]byte("?")); err != nil {
		p.Fatal(err)
	}
	if host, err = p.lis.Accept(); err != nil {
		p.Fatal(err)
	}
	if _, err := io.ReadFull(host, make([]byte, 1)); err != nil {
		p.Fatal(err)
	}
	p.Cleanup(func() { _, _ = caller.Close(), host.Close() })
	return caller, host
}

var portModes = []string{"STRICT", "PERMISSIVE", "DISABLE"}

// Either end may say that it has said all, and hear the rest.
func TestEitherEndMayHalfClose(t *testing.T) {
	for _, mode := range portModes {
		p := pierAt(t, mode)
		for i := range 2 {
			caller, host := p.pair()
			first, second := caller, host
			if i == 1 {
				first, second = host, caller
			}
			for _, c := range []net.Conn{first, second} {
				other := second
				if c == second {
					other = first
				}
				if _, err := io.WriteString(c, "all of it"); err != nil {
					t.Fatal(err)
				}
				half, ok := c.(interface{ CloseWrite() error })
				if !ok {
					t.Fatalf("%s: cannot be half-closed", mode)
				}
				if err := half.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				if got, err := io.ReadAll(other); err != nil || string(got) != "all of it" {
					t.Errorf("%s: got %q %v", mode, got, err)
				}
			}
		}
	}
}

// A deadline, and a Close, wake who waits.
func TestWhoWaitsIsWoken(t *testing.T) {
	for _, mode := range portModes {
		p := pierAt(t, mode)
		for name, wake := range map[string]func(net.Conn) error{
			"deadline":      func(c net.Conn) error { return c.SetDeadline(time.Unix(1, 0)) },
			"read deadline": func(c net.Conn) error { return c.SetReadDeadline(time.Unix(1, 0)) },
			"close":         func(c net.Conn) error { return c.Close() },
		} {
			caller, host := p.pair()
			for _, c := range []net.Conn{caller, host} {
				woken := make(chan error, 1)
				go func() {
					_, err := c.Read(make([]byte, 1))
					woken <- err
				}()
				if err := wake(c); err != nil {
					t.Errorf("%s, %s: %v", mode, name, err)
				}
				if err := <-woken; !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
					t.Errorf("%s, %s: got %v", mode, name, err)
				}
			}
		}
	}
}

// What is opened is closed, and what one end sends the other has received, however
// connections end and whoever ends them.
func TestTheCountsAgreeInTheEnd(t *testing.T) {
	for _, mode := range portModes {
		p := pierAt(t, mode, tcpPolicy("cache", "{maxConnections: 5}"))
		var serving sync.WaitGroup
		serving.Go(func() {
			for n := 0; ; n++ {
				c, err := p.lis.Accept()
				if err != nil {
					return
				}
				serving.Go(func() {
					if n%3 == 0 {
						_, _ = c.Read(make([]byte, 10))
					} else {
						_, _ = io.Copy(c, c)
					}
					_ = c.Close()
				})
			}
		})
		var calling sync.WaitGroup
		for i := range 8 {
			calling.Go(func() {
				for j := range 20 {
					c, err := p.caller.DialContext(p.Context(), "tcp", "cache:6379")
					if err != nil {
						continue
					}
					_ = c.SetDeadline(time.Now().Add(30 * time.Second))
					if j%4 > 0 {
						_ = ask(c, strings.Repeat("x", 1000*i+j+1))
					}
					if j%5 == 0 {
						calling.Go(func() { _ = c.Close() }) // who closes first tells it, perhaps later than the others return
					}
					_, _ = c.Close(), c.Close()
				}
			})
		}
		calling.Wait()
		_ = p.lis.Close()
		serving.Wait()
		for i, side := range []string{"caller", "host"} {
			o, c := p.total(i, opened), p.total(i, closed)
			if o == 0 || o != c {
				t.Errorf("%s, %s: opened %d, closed %d", mode, side, o, c)
			}
		}
		for _, m := range []*mesh.Mesh{p.caller, p.host} {
			if got := m.Underway(); len(got) != 0 {
				t.Errorf("%s: under way: %v", mode, got)
			}
		}
	}
}

func (p *pier) total(side int, metric string) (n int64) {
	p.Helper()
	var all metricdata.ResourceMetrics
	if err := p.heard[side].reader.Collect(context.Background(), &all); err != nil {
		p.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if sum, ok := m.Data.(metricdata.Sum[int64]); ok && m.Name == metric {
				for _, point := range sum.DataPoints {
					n += point.Value
				}
			}
		}
	}
	return n
}
