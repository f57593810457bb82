package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"

	"github.com/inmesh-go/inmesh/tlsid"
)

// inbound is a request of productpage's as net/http hands it to a handler.
func inbound(ca *tlsid.CA) (*http.Request, error) {
	state, err := handshake(ca)
	if err != nil {
		return nil, err
	}
	r := request()
	r.URL.Scheme, r.URL.Host = "", ""
	r.RequestURI, r.RemoteAddr, r.TLS = "/reviews/7", "10.0.0.9:40000", state
	local := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 9080}
	return r.WithContext(context.WithValue(context.Background(), http.LocalAddrContextKey, local)), nil
}

// handshake is what one with productpage leaves behind.
func handshake(ca *tlsid.CA) (*tls.ConnectionState, error) {
	own, err := credential(ca, productpage)
	if err != nil {
		return nil, err
	}
	issued, _ := own.Load()
	leaf, err := x509.ParseCertificate(issued.Certificate().Certificate[0])
	if err != nil {
		return nil, err
	}
	return &tls.ConnectionState{HandshakeComplete: true, PeerCertificates: []*x509.Certificate{leaf}}, nil
}
