package mesh_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

const cacheAccess = `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: cache}
spec:
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/shop]}}]
`

// A protocol of its own, over mutual TLS: the server takes one workload's connections
// alone. DialContext is what drivers of databases take as their dialler.
func ExampleMesh_DialContext() {
	ctx := context.Background()
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	cache, err := mesh.New(ctx, mesh.Config{
		Workload: mesh.Workload{Service: "cache"},
		Identity: ca.Workload("cache"),
		Rules:    rules.Static(cacheAccess),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer cache.Close()
	lis, err := cache.ListenTCP("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer lis.Close()
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			go sayAgain(conn)
		}
	}()

	where, err := discovery.NewStatic(map[string][]discovery.Endpoint{
		"cache": {{Address: lis.Addr().String(), Identity: "spiffe://cluster.local/ns/default/sa/cache"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, who := range []string{"shop", "stranger"} {
		m, err := mesh.New(ctx, mesh.Config{Discovery: where, Identity: ca.Workload(who)})
		if err != nil {
			fmt.Println(err)
			return
		}
		defer m.Close()
		conn, err := m.DialContext(ctx, "tcp", "cache:6379")
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Fprintln(conn, "hello")
		answer, err := bufio.NewReader(conn).ReadString('\n')
		fmt.Printf("%s: %q, heard to the end: %t\n", who, answer, err == nil)
		conn.Close()
	}
	// Output:
	// shop: "hello\n", heard to the end: true
	// stranger: "", heard to the end: false
}

func sayAgain(conn net.Conn) {
	defer conn.Close()
	io.Copy(conn, conn)
}
