package meshtest_test

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// greets says who calls, and then what it hears.
func greets(c net.Conn) {
	defer c.Close()
	if _, err := io.WriteString(c, mesh.PeerOf(c).ID.String()+"!"); err == nil {
		_, _ = io.Copy(c, c)
	}
}

// first reads up to the exclamation mark.
func first(c net.Conn) (text string, err error) {
	for p := []byte{0}; err == nil && p[0] != '!'; text += string(p) {
		_, err = io.ReadFull(c, p)
	}
	return text, err
}

func TestRawConnectionsInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := meshtest.New(t)
		cache := fleet.StartTCP("cache", greets, meshtest.Labels{"version": "v1"})
		fleet.StartMeshTCP(mesh.Config{Workload: mesh.Workload{Service: "store"}}, greets)
		m := fleet.Mesh(mesh.Config{Identity: fleet.Identity("shop"), Rules: rules.Static()})
		for address, want := range map[string]string{"cache:6379": "!", "store:5432": "spiffe://cluster.local/ns/default/sa/shop!"} {
			c, err := m.DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := first(c); err != nil || got != want {
				t.Errorf("%s: got %q %v, want %q", address, got, err, want)
			}
			if address == "cache:6379" {
				cache.Refuse()
				if _, err := io.ReadAll(c); err != nil && err != io.ErrClosedPipe {
					t.Error(err)
				}
			}
			_ = c.Close()
		}
		if _, err := m.DialContext(t.Context(), "tcp", "cache:6379"); err == nil {
			t.Error("it was not refused")
		}
		cache.Recover()
		c, err := m.DialContext(t.Context(), "tcp", "cache:6379") // stands at the end
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Hour, func() { _ = c.Close() })
	})
}
