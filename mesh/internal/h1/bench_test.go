package h1_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

func dialTCP(ctx context.Context, host string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", host)
}

func review(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"id":"7","reviews":[{"reviewer":"Reviewer1","text":"An extremely entertaining play."}]}`)
}

func benchmark(b *testing.B, rt http.RoundTripper, callers int) {
	s := httptest.NewServer(http.HandlerFunc(review))
	defer s.Close()
	b.ReportAllocs()
	b.SetParallelism(callers)
	b.RunParallel(func(pb *testing.PB) {
		r, _ := http.NewRequest("GET", s.URL+"/reviews/7", nil)
		r.Header.Set("Accept", "application/json")
		for pb.Next() {
			resp, err := rt.RoundTrip(r)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
}

func BenchmarkPool(b *testing.B) {
	p := h1.New(h1.Config{Dial: dialTCP})
	defer p.CloseIdle()
	benchmark(b, p, 8)
}

func BenchmarkTransport(b *testing.B) {
	t := &http.Transport{MaxIdleConnsPerHost: 1024}
	defer t.CloseIdleConnections()
	benchmark(b, t, 8)
}
