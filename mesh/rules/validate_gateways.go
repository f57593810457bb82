package rules

import "strings"

// validateGatewayNames checks the names of gateways: mesh, name or
// namespace/name.
func validateGatewayNames(c *checker, path string, names []string) {
	report := c.invalid
	for i, name := range names {
		at := nth(path, i)
		namespace, gateway, ok := strings.Cut(name, "/")
		switch {
		case ok && !isLabel(namespace):
			report(at, "%q: bad namespace %q", name, namespace)
		case ok && !isLabel(gateway):
			report(at, "%q: bad gateway name %q", name, gateway)
		case ok:
		default:
			validatePlainGateway(c, report, at, name)
			// Istio's check ends at the first name without a namespace: what
			// it does not look at, it accepts.
			report = c.warn
		}
	}
}

func validatePlainGateway(c *checker, report func(string, string, ...any), path, name string) {
	if err := checkDomain(name); err != nil {
		report(path, "%v", err)
		return
	}
	if gateway, rest, ok := strings.Cut(name, "."); ok {
		namespace, _, _ := strings.Cut(rest, ".")
		c.warn(path, "%q: the form of old, want %s/%s", name, namespace, gateway)
	}
}

// meshBound reports whether gateways bind a route to clients inside the mesh.
func meshBound(gateways []string) bool {
	for _, name := range gateways {
		if name == "mesh" {
			return true
		}
	}
	return len(gateways) == 0
}
