package main

import (
	"context"
	"net/http"
	"time"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

// A telling side is net/http alone, whose caller does by hand what the mesh does with
// each request over mutual TLS: it sets the timeout that the mesh has by its rules,
// and says in headers how long that is and who calls.
type telling struct {
	side
	timeout time.Duration
	header  http.Header
}

func (w wire) telling(to *server) (telling, error) {
	s, err := w.bare(to)
	_, who := telemetry.Workload{Namespace: "default"}.Metadata()
	header := http.Header{"X-Envoy-Expected-Rq-Timeout-Ms": {"2000"}, telemetry.MetadataHeader: {who}}
	return telling{s, 2 * time.Second, header}, err
}

func (s telling) load(n int, d time.Duration) (load, error) {
	return underLoad(n, d, func(i int) error { return s.get(s.url(i)) })
}

func (s telling) get(url string) error {
	ctx, leave := context.WithTimeout(context.Background(), s.timeout)
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header = s.header.Clone()
	return s.read(s.client.Do(r))
}
