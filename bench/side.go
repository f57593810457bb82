package main

import (
	"net/http"

	"github.com/inmesh-go/inmesh/mesh"
)

// A side is one of the two that are compared over a wire.
type side struct {
	wire   wire
	client *http.Client
	urls   []string
	mesh   *mesh.Mesh // nil: bare
}

// url is where a caller sends its requests. Those of bare spread over the
// addresses as the mesh's do: in HTTP/2 all who call one address share one
// connection, and to have more of them would be an advantage, or a burden.
func (s side) url(caller int) string { return s.urls[caller%len(s.urls)] }

func (s side) close() {
	s.client.CloseIdleConnections()
	if s.mesh != nil {
		_ = s.mesh.Close()
	}
}
