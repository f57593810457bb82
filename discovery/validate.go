package discovery

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Validate reports all that is wrong with a set of endpoints: an address that
// cannot be dialled or is not in its canonical spelling, one that occurs twice,
// an empty label name, a health that does not exist, an identity that is no
// SPIFFE ID. An Endpoint is known by its address, so "[::1]:80" and
// "[0::1]:80" must not both stand for one host: only the former is accepted.
func Validate(endpoints []Endpoint) error {
	var faults []error
	seen := make(map[string]int, len(endpoints))
	for i, e := range endpoints {
		if err := e.validate(); err != nil {
			faults = append(faults, fmt.Errorf("endpoint %d: %w", i, err))
		}
		if first, dup := seen[e.Address]; dup {
			faults = append(faults, fmt.Errorf("endpoint %d: address %q is that of endpoint %d already", i, e.Address, first))
			continue
		}
		seen[e.Address] = i
	}
	return errors.Join(faults...)
}

func (e Endpoint) validate() error {
	if err := checkAddress(e.Address); err != nil {
		return err
	}
	if _, ok := e.Labels[""]; ok {
		return fmt.Errorf("address %q: a label has no name", e.Address)
	}
	if e.Health > Draining {
		return fmt.Errorf("address %q: %s: want healthy, unhealthy or draining", e.Address, e.Health)
	}
	if e.Identity != "" && !strings.HasPrefix(e.Identity, "spiffe://") {
		return fmt.Errorf("address %q: identity %q: want spiffe://domain/path", e.Address, e.Identity)
	}
	return nil
}

func checkAddress(address string) error {
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		return checkSocket(address, path)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address %q: want ip:port, host:port or unix:///path", address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port != strconv.FormatUint(n, 10) {
		return fmt.Errorf("address %q: port %q: want a number from 1 to 65535", address, port)
	}
	return checkHost(address, host, port)
}

func checkSocket(address, path string) error {
	if len(path) > 1 && (path[0] == '/' || path[0] == '@') {
		return nil
	}
	return fmt.Errorf("address %q: want unix:///absolute/path or unix://@abstract", address)
}

func checkHost(address, host, port string) error {
	if ip, err := netip.ParseAddr(host); err == nil {
		if canonical := net.JoinHostPort(ip.String(), port); canonical != address {
			return fmt.Errorf("address %q: write it %q", address, canonical)
		}
		return nil
	}
	if !isName(host) {
		return fmt.Errorf("address %q: %q is neither an IP nor a lower-case host name", address, host)
	}
	return nil
}

// isName reports whether s is a DNS name in its canonical spelling: at most 253
// bytes, labels of 1 to 63 lower-case letters, digits, '-' and '_' that do not
// begin with '-'. Names of four numbers are refused: they are mistyped IPs.
func isName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if len(s) == 0 || len(s) > 253 || strings.Trim(s, "0123456789.") == "" {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if !isLabel(label) {
			return false
		}
	}
	return true
}

func isLabel(s string) bool {
	if len(s) == 0 || len(s) > 63 || s[0] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}
