package tlsid_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"

	"github.com/inmesh-go/inmesh/tlsid"
)

// Example is the start of the package comment, and a connection.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, server := new(tlsid.Current), new(tlsid.Current)
	follow(ctx, ca.Workload("productpage"), client)
	follow(ctx, ca.Workload("reviews"), server)

	listener, err := tls.Listen("tcp", "127.0.0.1:0", tlsid.ServerConfig(server, tlsid.Accept{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()
	go greet(listener)

	reviews, _ := tlsid.ParseID("spiffe://cluster.local/ns/default/sa/reviews")
	config := tlsid.ClientConfig(client, tlsid.Expect{IDs: []tlsid.ID{reviews}})
	conn, err := tls.Dial("tcp", listener.Addr().String(), config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	greeting := make([]byte, 100)
	n, err := conn.Read(greeting)
	fmt.Println(string(greeting[:n]), err)
	// Output: hello, spiffe://cluster.local/ns/default/sa/productpage <nil>
}

// follow puts the credentials of a source in force. Here the first is enough.
func follow(ctx context.Context, source tlsid.Source, own *tlsid.Current) {
	for credential, err := range source.Watch(ctx) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		own.Store(credential)
		break
	}
}

// greet greets one client by its identity.
func greet(listener net.Listener) {
	conn, err := listener.Accept()
	if err != nil {
		return
	}
	defer conn.Close()
	if err := conn.(*tls.Conn).Handshake(); err != nil {
		return
	}
	peer, err := tlsid.PeerOf(conn.(*tls.Conn).ConnectionState())
	if err == nil {
		fmt.Fprintf(conn, "hello, %s", peer)
	}
}

func ExampleID_Workload() {
	id, err := tlsid.ParseID("spiffe://cluster.local/ns/prod/sa/reviews")
	if err != nil {
		fmt.Println(err)
		return
	}
	namespace, account, ok := id.Workload()
	fmt.Println(namespace, account, ok)
	// Output: prod reviews true
}
