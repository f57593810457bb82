package fleet

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/inmesh-go/inmesh/mesh"
)

// A census counts, on the servers' side, requests between services and how many
// of them came from a caller who has proven who it is.
type census struct{ all, proven atomic.Int64 }

func (c *census) counting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.all.Add(1)
		if !mesh.Peer(r.Context()).ID.IsZero() {
			c.proven.Add(1)
		}
		next.ServeHTTP(w, r)
	})
}

// MutualTLS is the share of the requests between services that came over mutual TLS,
// 0 to 1; 0 if there were none.
func (f *Fleet) MutualTLS() float64 { return ratio(f.census.proven.Load(), f.census.all.Load()) }

func ratio(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// probes is how often a stranger tries each service that is closed to it.
const probes = 10

// Probe has details, which may call nobody, call reviews and ratings, and returns
// what share of its requests was refused: all of them, if the policies hold. It
// proves who it is, so that the policies refuse it and not the handshake.
func (f *Fleet) Probe(ctx context.Context) (refused float64, err error) {
	m, err := mesh.New(ctx, f.process("details", "v1"))
	if err != nil {
		return 0, err
	}
	defer m.Close()
	client := &http.Client{Transport: m.Transport(nil)}
	var all, out int64
	for _, url := range []string{"http://reviews/reviews/0", "http://ratings/ratings/0"} {
		for range probes {
			status, err := knock(ctx, client, url)
			if err != nil {
				return 0, fmt.Errorf("the probe: %w", err)
			}
			if all++; status == http.StatusForbidden {
				out++
			}
		}
	}
	return ratio(out, all), nil
}

func knock(ctx context.Context, client *http.Client, url string) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
