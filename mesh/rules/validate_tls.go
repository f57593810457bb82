package rules

import (
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// validateTLS checks the settings of TLS to the upstream. A mode left out is
// DISABLE: tls: {} means plaintext.
func validateTLS(c *checker, path string, t *networking.ClientTLSSettings) {
	if t == nil {
		return
	}
	switch t.Mode {
	case networking.ClientTLSSettings_DISABLE:
		warnPlaintext(c, path, t)
	case networking.ClientTLSSettings_SIMPLE:
		validateUnverified(c, path, t)
		validateCertificates(c, path, t)
		warnUnused(c, path, t.Mode, ownFiles(t))
	case networking.ClientTLSSettings_MUTUAL:
		validateUnverified(c, path, t)
		validateCertificates(c, path, t)
	case networking.ClientTLSSettings_ISTIO_MUTUAL:
		warnUnused(c, path, t.Mode, append(ownFiles(t), peerFiles(t)...))
		if t.InsecureSkipVerify.GetValue() {
			c.warn(path+".insecureSkipVerify", "has no effect beside mode %s, which always verifies", t.Mode)
		}
	}
}

// A setting is a field of text with its value.
type setting struct{ field, value string }

func ownFiles(t *networking.ClientTLSSettings) []setting {
	return []setting{{"clientCertificate", t.ClientCertificate}, {"privateKey", t.PrivateKey}}
}

func peerFiles(t *networking.ClientTLSSettings) []setting {
	return []setting{{"caCertificates", t.CaCertificates}, {"caCrl", t.CaCrl}}
}

// warnUnused names the settings that a mode does not look at.
func warnUnused(c *checker, path string, mode networking.ClientTLSSettings_TLSmode, settings []setting) {
	for _, s := range settings {
		if s.value != "" {
			c.warn(path+"."+s.field, "has no effect beside mode %s", mode)
		}
	}
}

// warnPlaintext names what stands beside mode DISABLE.
func warnPlaintext(c *checker, path string, t *networking.ClientTLSSettings) {
	if t.ClientCertificate != "" || t.PrivateKey != "" || t.CaCertificates != "" || t.CaCrl != "" ||
		t.Sni != "" || len(t.SubjectAltNames) > 0 || t.InsecureSkipVerify.GetValue() {
		c.warn(path, "has no effect beside mode DISABLE: connections are in plaintext")
	}
}

// validateUnverified checks that nothing is said on whom to trust where nobody
// is verified.
func validateUnverified(c *checker, path string, t *networking.ClientTLSSettings) {
	if !t.InsecureSkipVerify.GetValue() {
		return
	}
	const conflict = "stands beside insecureSkipVerify: want one or the other"
	if t.CaCertificates != "" {
		c.invalid(path+".caCertificates", conflict)
	}
	if len(t.SubjectAltNames) > 0 {
		c.invalid(path+".subjectAltNames", conflict)
	}
	// With MUTUAL the credential may hold the client certificate alone.
	if t.CredentialName != "" && t.Mode == networking.ClientTLSSettings_SIMPLE {
		c.invalid(path+".credentialName", conflict)
	}
}

func validateCertificates(c *checker, path string, t *networking.ClientTLSSettings) {
	if t.CredentialName != "" {
		validateCredential(c, path, t)
		return
	}
	if t.Mode != networking.ClientTLSSettings_MUTUAL {
		return
	}
	if t.ClientCertificate == "" {
		c.invalid(path+".clientCertificate", "missing: mode MUTUAL wants a file")
	}
	if t.PrivateKey == "" {
		c.invalid(path+".privateKey", "missing: mode MUTUAL wants a file")
	}
}

func validateCredential(c *checker, path string, t *networking.ClientTLSSettings) {
	for _, file := range append(ownFiles(t), peerFiles(t)...) {
		if file.value != "" {
			c.invalid(path+"."+file.field, "stands beside credentialName: want one or the other")
		}
	}
	validateConfigMap(c, path+".credentialName", t.CredentialName)
}

// validateConfigMap checks the form configmap://[namespace/]name.
func validateConfigMap(c *checker, path, credential string) {
	name, ok := strings.CutPrefix(credential, "configmap://")
	namespace, _, qualified := strings.Cut(name, "/")
	if ok && qualified && namespace != c.meta.Namespace {
		c.invalid(path, "%q: namespace %q, want the own one, %q", credential, namespace, c.meta.Namespace)
	}
}

func validateTunnel(c *checker, path string, t *networking.TrafficPolicy_TunnelSettings) {
	if t == nil {
		return
	}
	if p := t.Protocol; p != "" && p != "CONNECT" && p != "POST" {
		c.invalid(path+".protocol", "%q: want CONNECT or POST", p)
	}
	if err := checkDomain(t.TargetHost); err != nil && !isIP(t.TargetHost) {
		c.invalid(path+".targetHost", "%v", err)
	}
	validatePort(c, path+".targetPort", t.TargetPort)
}
