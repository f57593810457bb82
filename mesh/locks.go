package mesh

import (
	"crypto/tls"
	"strings"

	"github.com/inmesh-go/inmesh/mesh/internal/clienttls"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/tlsid"
)

// locks make the TLS of one wire's connections.
type locks struct {
	base   *tls.Config      // the base transport's, for callers' own TLS; may be nil
	files  *clienttls.Files // of a rule; nil: it has none
	own    *tlsid.Current   // of the process
	expect clienttls.Expect // but for the identity and the protocols
}

func (w *wires) newLocks(spec *plan.Cluster) *locks {
	t := &spec.TLS
	k := &locks{base: w.template.TLSClientConfig, own: &w.mesh.identity.current}
	k.expect = clienttls.Expect{SANs: t.SANs, SNI: t.SNI, Aliases: w.mesh.config.aliases(), MinVersion: w.mesh.config.MinTLSVersion}
	if t.SNI == "" {
		// Istio's name of a cluster in SNI: outbound_.9080_.v1_.reviews.default.svc.cluster.local
		k.expect.SNI = strings.ReplaceAll(spec.Key.String(), "|", "_.")
	}
	if t.Files() {
		k.files = clienttls.NewFiles(clienttls.FilesConfig{
			CA: t.CA, CRL: t.CRL, Certificate: t.Certificate, Key: t.Key,
			SNI: t.SNI, SANs: t.SANs, Insecure: t.Insecure,
			Report: func(err error) { w.mesh.troubledFiles(spec, err) },
		})
	}
	return k
}

func (m *Mesh) troubledFiles(spec *plan.Cluster, err error) {
	m.config.Logger.Warn("tls", "service", spec.Key.Host, "subset", spec.Key.Subset, "err", err)
}

// config is for one connection.
func (k *locks) config(l line, protocols []string) (*tls.Config, error) {
	switch l.security {
	case byFiles:
		return k.files.Config(l.name, protocols...)
	case byIdentity:
		expect := k.expect
		expect.ID, expect.NextProtos = l.name, protocols
		return clienttls.ByIdentity(k.own, expect)
	}
	return k.callers(l.name, protocols), nil
}

// callers has the server prove the name that the caller asked for, unless base
// names another: the endpoint's address is not in its certificate.
func (k *locks) callers(name string, protocols []string) *tls.Config {
	cfg := k.base.Clone()
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if cfg.ServerName == "" {
		cfg.ServerName = name
	}
	cfg.NextProtos = protocols
	return cfg
}
