package mesh_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
)

// A DialContext may go through somebody's TLS, which holds back what has left the
// socket. What nobody has asked for is nobody's answer there, either.
func TestATunnelHoldsNoAnswerForTheNextRequest(t *testing.T) {
	a := newAuthority(t)
	body := strings.Repeat("a", 9000) // is read past every buffer of the mesh's
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{a.issue(t, "tunnel")}, DynamicRecordSizingDisabled: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerTwice(c, body)
		}
	}()
	config := &tls.Config{RootCAs: a.pool, ServerName: "tunnel"}
	through := func(ctx context.Context, network, address string) (net.Conn, error) {
		return (&tls.Dialer{Config: config}).DialContext(ctx, network, address)
	}
	c := carry(t, services{"play": {l.Addr().String()}}, false, mesh.Config{DialContext: through})
	for range 3 {
		resp := mustAnswer(t, c, get(t.Context(), "http://play/").Request)
		got := make([]byte, len(body))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != body {
			t.Fatalf("got %.20q, %v", got, err)
		}
		if n, err := resp.Body.Read(got); n != 0 || err != io.EOF {
			t.Fatalf("got %.20q, %v", got[:n], err)
		}
		_ = resp.Body.Close()
	}
}

// answerTwice answers the first request with body, and the next before it comes,
// in one record.
func answerTwice(c net.Conn, body string) {
	defer func() { _ = c.Close() }()
	const head = "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"
	if _, err := c.Read(make([]byte, 4096)); err == nil {
		_, _ = fmt.Fprintf(c, head+head, len(body), body, len(http.MethodGet), http.MethodGet)
		_, _ = io.Copy(io.Discard, c)
	}
}
