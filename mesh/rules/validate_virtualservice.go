package rules

import (
	"slices"

	networking "istio.io/api/networking/v1alpha3"
)

// validateVirtualService reports what is wrong with a VirtualService.
func validateVirtualService(c *checker, spec *networking.VirtualService) {
	checkFields(c, spec)
	if len(spec.Hosts) == 0 {
		validateDelegateForm(c, spec)
	}
	validateGatewayNames(c, "spec.gateways", spec.Gateways)
	validateVirtualHosts(c, spec)
	if len(spec.Http) == 0 && len(spec.Tls) == 0 && len(spec.Tcp) == 0 {
		c.invalid("spec", "no routes: want at least one in http, tls or tcp")
	}
	for i, route := range spec.Http {
		validateHTTPRoute(c, nth("spec.http", i), route, len(spec.Hosts) == 0)
	}
	validateTLSRoutes(c, spec)
	validateTCPRoutes(c, spec)
	validateExportTo(c, spec.ExportTo, false)
	if !meshBound(spec.Gateways) {
		leaveToGateways(c)
		return
	}
	validateNoClaims(c, spec)
	warnUnreachable(c, spec.Http)
}

// leaveToGateways keeps only what Istio rejects of the faults: routes of
// gateways are not inmesh's to enforce.
func leaveToGateways(c *checker) {
	c.faults = slices.DeleteFunc(c.faults, func(f Fault) bool { return f.Severity < Invalid })
	c.warn("spec.gateways", "has no effect in a process: only the gateway mesh stands for clients inside the mesh")
}

// validateDelegateForm checks a VirtualService without hosts, which is used
// only where another one delegates to it.
func validateDelegateForm(c *checker, spec *networking.VirtualService) {
	const want = "want none in a VirtualService without hosts, which is a delegate"
	if n := len(spec.Gateways); n > 0 {
		c.invalid("spec.gateways", "%d gateways: %s", n, want)
	}
	if n := len(spec.Tls); n > 0 {
		c.invalid("spec.tls", "%d routes: %s", n, want)
	}
	if n := len(spec.Tcp); n > 0 {
		c.invalid("spec.tcp", "%d routes: %s", n, want)
	}
}

func validateVirtualHosts(c *checker, spec *networking.VirtualService) {
	valid := true
	for i, host := range spec.Hosts {
		if !validateVirtualHost(c, nth("spec.hosts", i), host, spec) {
			valid = false
		}
	}
	if !valid {
		return
	}
	for i, host := range spec.Hosts {
		for j := range i {
			if hostsOverlap(host, spec.Hosts[j]) {
				c.invalid(nth("spec.hosts", i), "%q overlaps with %q: want hosts that share no name", host, spec.Hosts[j])
			}
		}
	}
}

func validateVirtualHost(c *checker, path, host string, spec *networking.VirtualService) bool {
	err := checkVirtualHost(host, spec)
	if err != nil && !isIP(host) {
		c.invalid(path, "%v", err)
		return false
	}
	if host == "*" && meshBound(spec.Gateways) {
		c.invalid(path, `"*": only a VirtualService of gateways may name all hosts`)
		return false
	}
	return true
}

func checkVirtualHost(host string, spec *networking.VirtualService) error {
	if meshBound(spec.Gateways) {
		return checkWildcardDomain(host)
	}
	return checkGatewayDomain(host, routesBySNI(spec))
}

func routesBySNI(spec *networking.VirtualService) bool {
	for _, route := range spec.Tls {
		for _, match := range route.GetMatch() {
			if len(match.GetSniHosts()) > 0 {
				return true
			}
		}
	}
	return false
}

// validateNoClaims rejects routing by JWT claims, which only gateways know.
func validateNoClaims(c *checker, spec *networking.VirtualService) {
	check := func(path string, headers map[string]*networking.StringMatch) {
		for name := range sorted(headers) {
			if isClaim(name) {
				c.invalid(entry(path, name), "%q: claims of a token can be matched at gateways only", name)
			}
		}
	}
	for i, route := range spec.Http {
		for j, match := range route.GetMatch() {
			at := item(nth("spec.http", i), "match", j)
			check(at+".headers", match.GetHeaders())
			check(at+".withoutHeaders", match.GetWithoutHeaders())
		}
	}
}
