package spiffe_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"

	"github.com/inmesh-go/inmesh/tlsid"
	"github.com/inmesh-go/inmesh/tlsid/spiffe"
)

func Example() {
	agent := exampleAgent()
	defer os.RemoveAll(filepath.Dir(agent.socket))
	defer agent.stop()
	os.Setenv("SPIFFE_ENDPOINT_SOCKET", agent.addr())
	defer os.Unsetenv("SPIFFE_ENDPOINT_SOCKET")
	ctx := context.Background()

	source, err := spiffe.NewSource(spiffe.Config{}) // at SPIFFE_ENDPOINT_SOCKET
	if err != nil {
		log.Fatal(err)
	}
	for credential, err := range source.Watch(ctx) {
		if err != nil {
			log.Print(err) // the last credential stands
			continue
		}
		fmt.Println("I am", credential.ID())
		break
	}

	// Output: I am spiffe://cluster.local/ns/default/sa/productpage
}

// exampleAgent vouches for productpage, as its operator has told it to.
func exampleAgent() *agent {
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		log.Fatal(err)
	}
	id, err := tlsid.ParseID(productpage)
	if err != nil {
		log.Fatal(err)
	}
	credential, err := ca.Issue(id)
	if err != nil {
		log.Fatal(err)
	}
	return agentFor(credential)
}

func agentFor(c tlsid.Credential) *agent {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.Certificate().PrivateKey)
	if err != nil {
		log.Fatal(err)
	}
	a := &agent{socket: filepath.Join(dir, "s"), changed: make(chan struct{})}
	a.send(&workload.X509SVIDResponse{Svids: []*workload.X509SVID{{
		SpiffeId: c.ID().String(), X509Svid: bytes.Join(c.Certificate().Certificate, nil), X509SvidKey: key,
		Bundle: der(c.Bundles().Roots(c.ID().TrustDomain())...),
	}}})
	a.start()
	return a
}
