package clienttls

import (
	"crypto/tls"
	"errors"
	"fmt"

	"github.com/inmesh-go/inmesh/tlsid"
)

// An Expect says whom the workload wants to reach by its own identity.
type Expect struct {
	ID         string              // the SPIFFE ID that the server must have; "": one of SANs
	SANs       []string            // names of which it must have one; none, without ID: anybody who is trusted
	SNI        string              // what the server is told; "": nothing
	Aliases    []tlsid.TrustDomain // of the own trust domain
	NextProtos []string            // to be offered (ALPN), the best first; none: no ALPN
	MinVersion uint16              // of TLS; 0: TLS 1.3
}

// ByIdentity returns the configuration of mutual TLS by the workload's own
// credential. Names are compared word for word; only an ID has aliases.
func ByIdentity(own *tlsid.Current, e Expect) (*tls.Config, error) {
	expect := tlsid.Expect{ServerName: e.SNI, Aliases: e.Aliases, NextProtos: e.NextProtos, MinVersion: e.MinVersion}
	if e.ID != "" {
		id, err := tlsid.ParseID(e.ID)
		if err != nil {
			return nil, fmt.Errorf("the endpoint cannot prove its identity: %w", err)
		}
		expect.IDs = []tlsid.ID{id}
	}
	c := tlsid.ClientConfig(own, expect)
	if e.ID == "" && len(e.SANs) > 0 {
		trusted := c.VerifyConnection
		c.VerifyConnection = func(state tls.ConnectionState) error {
			if err := trusted(state); err != nil {
				return err
			}
			return checkSANs(state.PeerCertificates[0], e.SANs)
		}
	}
	return c, nil
}

// ErrNoProtocol: the server speaks TLS, but not the protocol that it must.
var ErrNoProtocol = errors.New("the server does not agree on the protocol")

// CheckProtocol reports whether a connection, offered nothing but want, speaks it.
func CheckProtocol(state tls.ConnectionState, want string) error {
	if state.NegotiatedProtocol != want {
		return fmt.Errorf("%w: want %q (ALPN), it chose %q", ErrNoProtocol, want, state.NegotiatedProtocol)
	}
	return nil
}
