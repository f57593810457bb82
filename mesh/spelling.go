package mesh

import (
	"crypto/tls"
	"encoding/hex"
	"net/http"
	"strings"
)

// A line is what a connection is made to, and for. The transport keeps a pool
// for each host that stands in a URL; so what is more than an address and a
// port is spelt there in hex, as a host that no resolver knows.
type line struct {
	address string // host:port, or unix://path
	name    string // that the server must prove; "": it is not asked for any
	h1      bool   // HTTP/1.1 alone, for a connection that becomes something else
}

const (
	spelt   = ".endpoint.invalid:0"
	speltH1 = ".h1" + spelt
)

// lineTo is the line that a request needs to an address.
func lineTo(address string, r *http.Request) line {
	if r.URL.Scheme != "https" {
		return line{address: address}
	}
	return line{address, r.URL.Hostname(), upgrades(r)}
}

// host spells the line.
func (l line) host() string {
	if l.name == "" && !strings.HasPrefix(l.address, "unix://") {
		return l.address
	}
	end := spelt
	if l.h1 {
		end = speltH1
	}
	return hex.EncodeToString([]byte(l.address)) + "." + hex.EncodeToString([]byte(l.name)) + end
}

// lineOf reads what host has spelt.
func lineOf(host string) line {
	labels, ok := strings.CutSuffix(host, spelt)
	if !ok {
		return line{address: host}
	}
	labels, h1 := strings.CutSuffix(labels, ".h1")
	address, name, _ := strings.Cut(labels, ".")
	return line{unhex(address), unhex(name), h1}
}

func unhex(s string) string {
	b, _ := hex.DecodeString(s)
	return string(b)
}

// endpoint is where to dial.
func (l line) endpoint() (network, address string) {
	if path, ok := strings.CutPrefix(l.address, "unix://"); ok {
		return "unix", path
	}
	return "tcp", l.address
}

// tlsConfig has the server prove the name that the caller asked for, unless base
// names another: the endpoint's address is not in its certificate.
func (l line) tlsConfig(base *tls.Config) *tls.Config {
	cfg := base.Clone()
	if cfg == nil {
		cfg = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if cfg.ServerName == "" {
		cfg.ServerName = l.name
	}
	if cfg.NextProtos = []string{"h2", "http/1.1"}; l.h1 {
		cfg.NextProtos = nil
	}
	return cfg
}
