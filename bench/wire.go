package main

import (
	"crypto/tls"
	"fmt"
	"net/http"

	"github.com/inmesh-go/inmesh/tlsid"
)

// A wire is what requests on loopback go over, those of bare net/http and those
// of the mesh alike.
type wire struct {
	name  string
	major int    // version of HTTP
	alpn  string // what mutual TLS agrees on; "": plaintext
}

var wires = []wire{
	{"HTTP/1.1", 1, ""},
	{"HTTP/1.1 over mutual TLS", 1, "http/1.1"},
	overHTTP2,
}

var overHTTP2 = wire{"HTTP/2 over mutual TLS", 2, "h2"}

// check finds answers that came by another way, which would be measured in vain.
func (w wire) check(r *http.Response) error {
	if got := protocolOf(r.TLS); r.StatusCode != http.StatusOK || r.ProtoMajor != w.major || got != w.alpn {
		return fmt.Errorf("%s: the answer is %s in %s, ALPN %q", w.name, r.Status, r.Proto, got)
	}
	return nil
}

// protocolOf is what ALPN has agreed on; "" in plaintext.
func protocolOf(s *tls.ConnectionState) string {
	if s == nil {
		return ""
	}
	return s.NegotiatedProtocol
}

// transport is the one that both sides begin with.
func transport() *http.Transport {
	return &http.Transport{MaxIdleConnsPerHost: 1024}
}

// bare is net/http alone.
func (w wire) bare(to *server) (side, error) {
	if w.alpn == "" {
		return w.direct(transport(), "http", to.plain), nil
	}
	own, err := credential(to.ca, productpage)
	if err != nil {
		return side{}, err
	}
	id, err := tlsid.ParseID(reviews)
	if err != nil {
		return side{}, err
	}
	t := transport()
	t.TLSClientConfig = tlsid.ClientConfig(own, tlsid.Expect{IDs: []tlsid.ID{id}, NextProtos: []string{w.alpn}})
	t.ForceAttemptHTTP2 = w.major == 2 // which net/http leaves out for a TLSClientConfig of the caller's
	return w.direct(t, "https", to.secure), nil
}

func (w wire) direct(t *http.Transport, scheme string, addresses []string) side {
	s := side{wire: w, client: &http.Client{Transport: t}}
	for _, a := range addresses {
		s.urls = append(s.urls, scheme+"://"+a+"/reviews/7")
	}
	return s
}

// meshed is the mesh, everything on.
func (w wire) meshed(to *server) (side, error) {
	m, err := w.world(to).mesh()
	if err != nil {
		return side{}, err
	}
	client := &http.Client{Transport: m.Transport(transport())}
	return side{w, client, []string{"http://reviews/reviews/7"}, m}, nil
}

func (w wire) world(to *server) world {
	if w.alpn == "" {
		return worldAt(to.plain)
	}
	secured := worldAt(to.secure).secured(to.ca)
	if w.major == 2 {
		return secured.upgraded()
	}
	return secured
}

func worldAt(addresses []string) world {
	return newWorld(v1(func(i int) string { return addresses[i] }, len(addresses)), 2, withTimeouts)
}
