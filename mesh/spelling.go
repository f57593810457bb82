package mesh

import (
	"encoding/hex"
	"strings"
)

// A line is what a connection is made to, and for. Pools keep connections by the
// host that stands in a URL; so what is more than an address and a port is spelt
// there in hex, as a host that no resolver knows. It has few labels, for net/http
// goes through them in each request.
type line struct {
	address  string // host:port, or unix://path
	security security
	name     string // that the server must prove: a host's, or an identity; "": see locks
	h1       bool   // HTTP/1.1 alone
}

// A security says by whose TLS a connection is made.
type security uint8

const (
	inClear    security = iota
	byCaller            // who asked for https: as the base transport says
	byFiles             // as a rule says, of mode SIMPLE or MUTUAL
	byIdentity          // mutual TLS, by the identity of the process
)

const (
	spelt   = ".invalid:0" // which RFC 2606 keeps free
	speltH1 = "-h1" + spelt
)

// host spells the line.
func (l line) host() string {
	if l.security == inClear && !strings.HasPrefix(l.address, "unix://") && !strings.HasSuffix(l.address, spelt) {
		return l.address // which would not be read as another line
	}
	end := spelt
	if l.h1 {
		end = speltH1
	}
	label := [...]string{"-clear", "-caller", "-files", "-identity"}[l.security]
	return hex.EncodeToString([]byte(l.address)) + "-" + hex.EncodeToString([]byte(l.name)) + label + end
}

// lineOf reads what host has spelt.
func lineOf(host string) line {
	text, ok := strings.CutSuffix(host, spelt)
	if !ok {
		return line{address: host}
	}
	text, h1 := strings.CutSuffix(text, "-h1")
	address, text, _ := strings.Cut(text, "-")
	name, label, _ := strings.Cut(text, "-")
	return line{unhex(address), securityOf(label), unhex(name), h1}
}

func securityOf(label string) security {
	switch label {
	case "caller":
		return byCaller
	case "files":
		return byFiles
	case "identity":
		return byIdentity
	}
	return inClear
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
