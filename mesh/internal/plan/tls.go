package plan

import (
	"net"
	"slices"
	"strconv"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/tlsid"
)

// TLS is what the rules say of TLS to a cluster. Nobody changes it.
type TLS struct {
	Mode TLSMode
	SNI  string // "": the host that is asked for
	// SANs are names of which the server must have one; none: it must have its own
	// name or, with the workload's own identity, the endpoint's.
	SANs             []string
	CA, CRL          string // files; CA "": the system's roots
	Certificate, Key string // files, of TLSMutual
	Insecure         bool   // the server is not verified
}

// TLSMode says who encrypts, and what for.
type TLSMode uint8

// The modes of a DestinationRule's tls. TLSAuto is that there is none: mutual
// TLS by the workload's own identity wherever the endpoint has one.
const (
	TLSAuto TLSMode = iota
	TLSDisable
	TLSSimple // the server proves a name
	TLSMutual // so does the workload, by files
	TLSIstio  // both do, by their identities
)

// String is the mode as rules have it, and auto.
func (m TLSMode) String() string {
	return [...]string{"auto", "DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL"}[m]
}

// Equal reports whether connections made by one may serve the other.
func (t *TLS) Equal(o *TLS) bool {
	return t.Mode == o.Mode && t.SNI == o.SNI && t.CA == o.CA && t.CRL == o.CRL &&
		t.Certificate == o.Certificate && t.Key == o.Key && t.Insecure == o.Insecure && slices.Equal(t.SANs, o.SANs)
}

// Files reports that the mode takes its trust from files or the system, not from
// the workload's own identity.
func (t *TLS) Files() bool { return t.Mode == TLSSimple || t.Mode == TLSMutual }

var tlsModes = map[networking.ClientTLSSettings_TLSmode]TLSMode{
	networking.ClientTLSSettings_DISABLE:      TLSDisable,
	networking.ClientTLSSettings_SIMPLE:       TLSSimple,
	networking.ClientTLSSettings_MUTUAL:       TLSMutual,
	networking.ClientTLSSettings_ISTIO_MUTUAL: TLSIstio,
}

// systemRoots is what Istio writes for them.
const systemRoots = "system"

// compileTLS keeps what the mode looks at. Names that a ServiceEntry expects
// stand in for those that the rule leaves out.
func compileTLS(spec *networking.ClientTLSSettings, s *Service) TLS {
	if spec == nil {
		return TLS{SANs: s.sans()}
	}
	t := TLS{Mode: tlsModes[spec.Mode]}
	if t.Mode == TLSDisable {
		return t
	}
	t.SNI, t.SANs = spec.Sni, spec.SubjectAltNames
	if len(t.SANs) == 0 {
		t.SANs = s.sans()
	}
	if !t.Files() {
		return t
	}
	t.Insecure = spec.InsecureSkipVerify.GetValue()
	if t.CA, t.CRL = spec.CaCertificates, spec.CaCrl; t.CA == systemRoots {
		t.CA = ""
	}
	if t.Mode == TLSMutual {
		t.Certificate, t.Key = spec.ClientCertificate, spec.PrivateKey
	}
	return t
}

// sans may be called on nil.
func (s *Service) sans() []string {
	if s == nil {
		return nil
	}
	return s.identity
}

// labelTLSMode is by which an endpoint says whether it takes mutual TLS; it
// does, without the label, if it has an identity.
const labelTLSMode = "security.istio.io/tlsMode"

// MutualTLS decides whether the workload, if it has an identity of its own,
// speaks mutual TLS with an endpoint. Where a rule demands it, it does so in any
// case: who has no identity then fails, rather than send plaintext. expect is
// the identity that the endpoint must prove; "": one of TLS.SANs or, if there
// are none, any that is trusted.
//
// The order is that of Istio's pilot/pkg/xds/endpoints/mtls_checker.go.
func (c *Cluster) MutualTLS(e *discovery.Endpoint, identity bool) (expect string, mutual bool) {
	if c.TLS.Mode != TLSAuto {
		if len(c.TLS.SANs) == 0 {
			expect = e.Identity
		}
		return expect, c.TLS.Mode == TLSIstio
	}
	if !identity || c.Service != nil && c.Service.External || !takesTLS(e) || c.peers.disable(c.NamespaceOf(e), e) {
		return "", false
	}
	return e.Identity, true
}

func takesTLS(e *discovery.Endpoint) bool {
	if mode, ok := e.Labels[labelTLSMode]; ok {
		return mode == "istio"
	}
	return e.Identity != ""
}

// NamespaceOf is where an endpoint runs: in its service's namespace; where that
// is not known, in the one that its identity names.
func (c *Cluster) NamespaceOf(e *discovery.Endpoint) string {
	if c.namespace != "" {
		return c.namespace
	}
	id, err := tlsid.ParseID(e.Identity)
	if err != nil {
		return ""
	}
	namespace, _, _ := id.Workload()
	return namespace
}

// portOf is the port of an endpoint; a socket has none.
func portOf(e *discovery.Endpoint) uint16 {
	_, port, err := net.SplitHostPort(e.Address)
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(port, 10, 16)
	return uint16(n)
}
