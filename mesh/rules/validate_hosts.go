package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

const (
	maxLabel  = 63
	maxDomain = 255
)

// isLabel reports whether s is a DNS label as Istio has it: letters of either
// case, digits, and inside also hyphens; 1 to 63 bytes.
func isLabel(s string) bool {
	if s == "" || len(s) > maxLabel || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

func isAlnum(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
}

// isWildcardLabel also takes *, *foo and *-foo.
func isWildcardLabel(s string) bool {
	if len(s) > maxLabel || s == "*" {
		return s == "*"
	}
	rest, starred := strings.CutPrefix(s, "*")
	if starred {
		rest = strings.TrimPrefix(rest, "-")
	}
	return isLabel(rest)
}

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// checkDomain says what keeps name from being a domain name; a final dot is allowed.
func checkDomain(name string) error {
	if err := checkDomainLength(name); err != nil {
		return err
	}
	return checkLabels(name, strings.Split(name, "."))
}

// checkWildcardDomain is checkDomain with a wildcard allowed in the first label.
func checkWildcardDomain(name string) error {
	if err := checkDomainLength(name); err != nil {
		return err
	}
	first, rest, dotted := strings.Cut(name, ".")
	if !isWildcardLabel(first) {
		return badLabel(name, first)
	}
	if !dotted {
		return nil
	}
	return checkLabels(name, strings.Split(rest, "."))
}

func checkDomainLength(name string) error {
	if name == "" {
		return errors.New("empty: want a host name")
	}
	if len(name) > maxDomain {
		return fmt.Errorf("%q: %d bytes, want at most %d", brief(name), len(name), maxDomain)
	}
	return nil
}

func checkLabels(name string, labels []string) error {
	last := len(labels) - 1
	if _, err := strconv.Atoi(labels[last]); err == nil {
		return fmt.Errorf("%q: the last label %q is a number, want a host name", name, labels[last])
	}
	for i, label := range labels {
		if i == last && label == "" {
			return nil
		}
		if !isLabel(label) {
			return badLabel(name, label)
		}
	}
	return nil
}

func badLabel(name, label string) error {
	return fmt.Errorf("%q: bad label %q, want 1 to %d letters, digits or inner hyphens (a wildcard only first)", brief(name), brief(label), maxLabel)
}

// checkGatewayDomain is checkWildcardDomain for a VirtualService that is bound
// to gateways only; such a one that routes by SNI may also name the hosts that
// Istio generates for pass-through, outbound_.80_._.reviews.default.svc.
func checkGatewayDomain(name string, sni bool) error {
	generated, ok := strings.CutPrefix(name, "outbound_.")
	if sni && ok && len(name) <= maxDomain {
		// Istio asks for [0-8] there, port numbers with 9 first being forgotten.
		if generated == "" || generated[0] < '0' || generated[0] > '8' {
			return fmt.Errorf("%q: want outbound_.<port>_.<subset>_.<host>", brief(name))
		}
		return nil
	}
	return checkWildcardDomain(name)
}

// hostsOverlap reports whether some name is covered by both a and b.
func hostsOverlap(a, b string) bool {
	switch wildA, wildB := isWild(a), isWild(b); {
	case wildA && wildB:
		return strings.HasSuffix(a[1:], b[1:]) || strings.HasSuffix(b[1:], a[1:])
	case wildA:
		return strings.HasSuffix(b, a[1:])
	case wildB:
		return strings.HasSuffix(a, b[1:])
	}
	return a == b
}

// hostCovers reports whether every name that sub covers is covered by host.
func hostCovers(host, sub string) bool {
	if !isWild(host) {
		return host == sub
	}
	if isWild(sub) {
		return len(sub) >= len(host) && strings.HasSuffix(sub[1:], host[1:])
	}
	return strings.HasSuffix(sub, host[1:])
}

func isWild(host string) bool { return strings.HasPrefix(host, "*") }

func checkSubnet(s string) error {
	if strings.Count(s, "/") == 1 {
		if _, err := netip.ParsePrefix(s); err != nil {
			return fmt.Errorf("%q: want an address range such as 10.0.0.0/8", s)
		}
		return nil
	}
	if !isIP(s) {
		return fmt.Errorf("%q: want an IP address or a range such as 10.0.0.0/8", s)
	}
	return nil
}

func validateSubnets(c *checker, path string, subnets []string) {
	for i, subnet := range subnets {
		if err := checkSubnet(subnet); err != nil {
			c.invalid(nth(path, i), "%v", err)
		}
	}
}

// validatePort checks a port number that must be given.
func validatePort(c *checker, path string, port uint32) {
	if port < 1 || port > 65535 {
		c.invalid(path, "%d: want 1 to 65535", port)
	}
}
