package rules

import (
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// Istio's limits on the size of a ServiceEntry.
const (
	maxHosts     = 256
	maxAddresses = 256
	maxPorts     = 256
	maxEndpoints = 4096
)

// validateServiceEntry reports what is wrong with a ServiceEntry.
func validateServiceEntry(c *checker, spec *networking.ServiceEntry) {
	checkFields(c, spec)
	validateServiceHosts(c, spec)
	validateAddresses(c, spec)
	validateServicePorts(c, spec.Ports)
	validateSharedPorts(c, spec)
	validateSelected(c, spec)
	validateResolution(c, spec)
	validateExportTo(c, spec.ExportTo, true)
}

func validateServiceHosts(c *checker, spec *networking.ServiceEntry) {
	if len(spec.Hosts) == 0 {
		c.invalid("spec.hosts", "missing: want at least one host")
	}
	validateCount(c, "spec.hosts", len(spec.Hosts), maxHosts)
	for i, host := range spec.Hosts {
		path := nth("spec.hosts", i)
		if host == "*" {
			c.invalid(path, `"*": want a host, or a wildcard such as *.example.com`)
			continue
		}
		if err := checkWildcardDomain(host); err != nil {
			c.invalid(path, "%v", err)
			continue
		}
		if isWild(host) && !strings.HasPrefix(host, "*.") && spec.Resolution != networking.ServiceEntry_DYNAMIC_DNS {
			c.warn(path, "%q: a * that is only part of a label; want *.example.com", host)
		}
	}
}

func validateCount(c *checker, path string, n, most int) {
	if n > most {
		c.invalid(path, "%d entries: want at most %d", n, most)
	}
}

func validateAddresses(c *checker, spec *networking.ServiceEntry) {
	validateCount(c, "spec.addresses", len(spec.Addresses), maxAddresses)
	validateSubnets(c, "spec.addresses", spec.Addresses)
	fixed := spec.Resolution == networking.ServiceEntry_NONE || spec.Resolution == networking.ServiceEntry_STATIC
	for i, address := range spec.Addresses {
		if strings.Contains(address, "/") && !fixed {
			c.invalid(nth("spec.addresses", i), "%q: a range needs resolution NONE or STATIC, not %s", address, spec.Resolution)
		}
	}
}

func validateServicePorts(c *checker, ports []*networking.ServicePort) {
	validateCount(c, "spec.ports", len(ports), maxPorts)
	names, numbers := map[string]int{}, map[uint32]int{}
	for i, port := range ports {
		path := nth("spec.ports", i)
		validatePort(c, path+".number", port.Number)
		validatePortName(c, path+".name", port.Name)
		if port.TargetPort == 0 && c.written(path+".targetPort") {
			c.invalid(path+".targetPort", "0: want 1 to 65535")
		}
		if !isProtocol(port.Protocol) {
			c.invalid(path+".protocol", "%q: want one of %s", brief(port.Protocol), strings.Join(protocols, " "))
		}
		if j, duplicate := names[port.Name]; duplicate {
			c.invalid(path+".name", "%q is the name of ports[%d] already", port.Name, j)
		}
		if j, duplicate := numbers[port.Number]; duplicate {
			c.invalid(path+".number", "%d is the number of ports[%d] already", port.Number, j)
		}
		names[port.Name], numbers[port.Number] = i, i
	}
}

func validatePortName(c *checker, path, name string) {
	if !isLabel(name) {
		c.invalid(path, "%q: want 1 to %d letters, digits or inner hyphens", brief(name), maxLabel)
	}
}

// protocols are those that Istio knows, in capitals; empty means to sniff.
var protocols = strings.Fields("HTTP HTTPS HTTP2 HTTP_PROXY GRPC GRPC-WEB MONGO MYSQL REDIS TCP TLS UDP")

func isProtocol(s string) bool {
	return s == "" || slices.Contains(protocols, strings.ToUpper(s))
}

// namesHost reports whether requests of the protocol say which host they are
// for, so that several hosts can share a port.
func namesHost(protocol string) bool { return speaksHTTP(protocol) || speaksTLS(protocol) }

func speaksHTTP(protocol string) bool {
	return slices.Contains([]string{"HTTP", "HTTP2", "HTTP_PROXY", "GRPC", "GRPC-WEB"}, strings.ToUpper(protocol))
}

func speaksTLS(protocol string) bool {
	return slices.Contains([]string{"HTTPS", "TLS"}, strings.ToUpper(protocol))
}

// validateSharedPorts rejects several hosts behind a port on which nothing
// tells one from the other.
func validateSharedPorts(c *checker, spec *networking.ServiceEntry) {
	if spec.Resolution == networking.ServiceEntry_NONE || len(spec.Hosts) < 2 {
		return
	}
	for i, port := range spec.Ports {
		if !namesHost(port.Protocol) {
			c.invalid(nth("spec.ports", i)+".protocol", "%q with %d hosts: want HTTP or TLS, which name the host, or resolution NONE", port.Protocol, len(spec.Hosts))
		}
	}
}

func validateSelected(c *checker, spec *networking.ServiceEntry) {
	if spec.WorkloadSelector == nil {
		return
	}
	validateSelector(c, "spec.workloadSelector", spec.WorkloadSelector.Labels, selectorLimits{labels: 256, value: 63})
	if c.written("spec.endpoints") {
		c.invalid("spec.endpoints", "%d entries beside workloadSelector: want one or the other", len(spec.Endpoints))
	}
	if spec.Resolution != networking.ServiceEntry_STATIC {
		c.warn("spec.workloadSelector", "resolution %s: want STATIC, workloads are found by their addresses", spec.Resolution)
	}
}
