package h1_test

import (
	"bytes"
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

// frugal answers every request, without allocating, until the listener is closed.
func frugal(t testing.TB, answer string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerAll(c, []byte(answer))
		}
	}()
	return "http://" + l.Addr().String()
}

func answerAll(c net.Conn, answer []byte) {
	defer func() { _ = c.Close() }()
	buf, end := make([]byte, 4096), []byte("\r\n\r\n")
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if bytes.HasSuffix(buf[:n], end) {
			_, _ = c.Write(answer)
		}
	}
}

const typical = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT\r\nContent-Length: 2\r\n\r\n{}"

// allocationsOf is the least that an exchange costs: with the race detector, a
// sync.Pool forgets things at random.
func allocationsOf(t *testing.T, rt http.RoundTripper, r *http.Request) float64 {
	buf, least := make([]byte, 16), math.Inf(1)
	for range 100 {
		least = min(least, testing.AllocsPerRun(1, func() { read(t, rt, r, buf) }))
	}
	return least
}

func read(t *testing.T, rt http.RoundTripper, r *http.Request, buf []byte) {
	resp, err := rt.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = resp.Body.Read(buf)
	}
	if err != io.EOF {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

func TestAllocations(t *testing.T) {
	url := frugal(t, typical)
	pool, transport := rivals(t, h1.Config{IdleTimeout: time.Hour})
	r, _ := http.NewRequest(http.MethodGet, url+"/path?q=1", nil)
	r.Header.Set("Accept", "application/json")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for name, c := range map[string]struct {
		request *http.Request
		want    float64
	}{
		"whose context never ends": {r, 10},
		"whose context is tied":    {r.WithContext(newTether()), 10},
		"whose context may end":    {r.WithContext(ctx), 12},
	} {
		if got := allocationsOf(t, pool, c.request); got != c.want {
			t.Errorf("a request %s: %v allocations, want %v (http.Transport: %v)", name, got, c.want, allocationsOf(t, transport, c.request))
		}
	}
}
