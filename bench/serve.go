package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/inmesh-go/inmesh/tlsid"
)

// servers is how many addresses the service has, in plaintext and over mutual
// TLS each.
const servers = 3

// serveLoopback is the server's own process. Its identity is of the CA in dir; it
// tells its addresses on one line, those in plaintext first, those of gRPC last,
// and lives until in ends.
func serveLoopback(dir string, in io.Reader, out io.Writer) error {
	s, err := newService(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	plain, err := listen(s.Serve)
	if err != nil {
		return err
	}
	secure, err := listen(func(l net.Listener) error { return s.ServeTLS(l, "", "") })
	if err != nil {
		return err
	}
	g := newGRPC()
	defer g.Stop()
	speaking, err := listen(g.Serve)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, strings.Join(slices.Concat(plain, secure, speaking), " "))
	_, err = io.Copy(io.Discard, in)
	return err
}

func newService(dir string) (*http.Server, error) {
	ca, err := tlsid.NewCA(tlsid.CAConfig{Dir: dir})
	if err != nil {
		return nil, err
	}
	own, err := credential(ca, reviews)
	if err != nil {
		return nil, err
	}
	body := []byte(`{"id":"7","reviews":[{"reviewer":"Reviewer1","text":"An extremely entertaining play."}]}`)
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
	accept := tlsid.Accept{NextProtos: []string{"h2", "http/1.1"}}
	return &http.Server{
		Handler:   handler,
		TLSConfig: tlsid.ServerConfig(own, accept),
		ErrorLog:  log.New(io.Discard, "", 0), // callers fail where it matters; the rest would be in the table's way
	}, nil
}

// listen serves on new addresses, and returns them.
func listen(serve func(net.Listener) error) ([]string, error) {
	var addresses []string
	for range servers {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		go func() { _ = serve(l) }()
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}
