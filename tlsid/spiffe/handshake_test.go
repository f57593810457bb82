package spiffe_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"
)

// A meeting is what both ends of a connection have come to.
type meeting struct {
	client, server           tls.ConnectionState
	clientError, serverError error
}

// ok reports whether both ends are content. Of TLS 1.3 that takes a byte from
// the server: a client's handshake is over before its certificate is verified.
func (m meeting) ok() bool { return m.clientError == nil && m.serverError == nil }

// meet lets a client and a server shake hands over TCP.
func meet(t *testing.T, client, server *tls.Config) (m meeting) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.server, m.serverError = serve(listener, server)
	}()
	m.client, m.clientError = dial(listener.Addr().String(), client)
	<-done
	return m
}

func serve(listener net.Listener, config *tls.Config) (state tls.ConnectionState, err error) {
	raw, err := listener.Accept()
	if err != nil {
		return state, err
	}
	conn := tls.Server(raw, config)
	defer conn.Close()
	if err := firstError(conn.SetDeadline(time.Now().Add(time.Minute)), conn.Handshake()); err != nil {
		return state, err
	}
	_, err = conn.Write([]byte("!"))
	return conn.ConnectionState(), err
}

func dial(addr string, config *tls.Config) (state tls.ConnectionState, err error) {
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		return state, err
	}
	conn := tls.Client(raw, config)
	defer conn.Close()
	if err := firstError(conn.SetDeadline(time.Now().Add(time.Minute)), conn.Handshake()); err != nil {
		return state, err
	}
	_, err = io.ReadFull(conn, make([]byte, 1))
	return conn.ConnectionState(), err
}

// firstError is for steps that are all taken.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
