package sniff_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/inmesh-go/inmesh/mesh/internal/sniff"
)

func Example() {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	lis, err := sniff.Listen(inner, sniff.Config{
		TLS:  &tls.Config{NextProtos: []string{"h2", "http/1.1"}}, // and the certificates
		Mode: func() sniff.Mode { return sniff.Permissive },
	})
	if err != nil {
		panic(err)
	}
	defer lis.Close()
	go http.Serve(lis, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "over TLS:", r.TLS != nil)
	}))

	resp, err := http.Get("http://" + lis.Addr().String())
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	fmt.Print(string(text))
	http.DefaultClient.CloseIdleConnections()
	// Output: over TLS: false
}
