package rules

import (
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// validateResolution checks that hosts, addresses and endpoints are what the
// resolution needs.
func validateResolution(c *checker, spec *networking.ServiceEntry) {
	validateCount(c, "spec.endpoints", len(spec.Endpoints), maxEndpoints)
	for i, endpoint := range spec.Endpoints {
		validateEndpoint(c, nth("spec.endpoints", i), endpoint, spec)
	}
	switch spec.Resolution {
	case networking.ServiceEntry_NONE:
		validateNoEndpoints(c, spec, c.written("spec.endpoints"))
	case networking.ServiceEntry_DNS, networking.ServiceEntry_DNS_ROUND_ROBIN:
		validateDNS(c, spec)
	case networking.ServiceEntry_DYNAMIC_DNS:
		validateNoEndpoints(c, spec, len(spec.Endpoints) > 0)
		validateDynamicDNS(c, spec)
	}
}

func validateNoEndpoints(c *checker, spec *networking.ServiceEntry, given bool) {
	if given {
		c.invalid("spec.endpoints", "%d entries: want none with resolution %s", len(spec.Endpoints), spec.Resolution)
	}
}

func validateDNS(c *checker, spec *networking.ServiceEntry) {
	if n := len(spec.Endpoints); n > 1 && spec.Resolution == networking.ServiceEntry_DNS_ROUND_ROBIN {
		c.invalid("spec.endpoints", "%d entries: want at most 1 with resolution DNS_ROUND_ROBIN", n)
	}
	if len(spec.Endpoints) > 0 {
		return
	}
	for i, host := range spec.Hosts {
		if isWild(host) {
			c.invalid(nth("spec.hosts", i), "%q cannot be looked up: want a full name, or endpoints", host)
		} else if err := checkDomain(host); err != nil && checkWildcardDomain(host) == nil { // a number passes as a label
			c.invalid(nth("spec.hosts", i), "%v", err)
		}
	}
}

func validateDynamicDNS(c *checker, spec *networking.ServiceEntry) {
	for i, host := range spec.Hosts {
		if !isWild(host) {
			c.invalid(nth("spec.hosts", i), "%q: want a wildcard with resolution DYNAMIC_DNS", host)
		}
	}
	if n := len(spec.Addresses); n > 0 {
		c.invalid("spec.addresses", "%d entries: want none with resolution DYNAMIC_DNS", n)
	}
	for i, port := range spec.Ports {
		switch strings.ToUpper(port.GetProtocol()) {
		case "HTTP", "HTTP2", "GRPC", "TLS", "HTTPS":
		default:
			c.invalid(nth("spec.ports", i)+".protocol", "%q: want HTTP, HTTP2, GRPC or TLS with resolution DYNAMIC_DNS", port.GetProtocol())
		}
	}
}

// validateEndpoint checks an endpoint that is written in a ServiceEntry.
func validateEndpoint(c *checker, path string, e *networking.WorkloadEntry, spec *networking.ServiceEntry) {
	validateWorkload(c, path, e)
	static := spec.Resolution == networking.ServiceEntry_STATIC
	switch unix := strings.HasPrefix(e.Address, unixScheme); {
	case unix && !static:
		c.invalid(path+".address", "%q: a socket needs resolution STATIC", e.Address)
	case unix && len(spec.Ports) != 1:
		c.invalid(path+".address", "%q with %d service ports: want exactly 1", e.Address, len(spec.Ports))
	case static && e.Address != "" && !unix && !isIP(e.Address) && checkDomain(e.Address) == nil:
		c.invalid(path+".address", "%q: want an IP address with resolution STATIC", e.Address)
	case !static && e.Address == "" && e.Network != "":
		c.invalid(path+".address", "missing: want a host name or an IP address with resolution %s", spec.Resolution)
	}
	names := map[string]bool{}
	for _, port := range spec.Ports {
		names[port.GetName()] = true
	}
	for name := range sorted(e.Ports) {
		if !names[name] {
			c.invalid(entry(path+".ports", name), "the service has no port of this name")
		}
	}
}
