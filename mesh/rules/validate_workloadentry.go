package rules

import (
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

const unixScheme = "unix://"

// Istio's limits on the size of a WorkloadEntry.
const (
	maxAddress        = 256
	maxLabels         = 256
	maxLocality       = 2048
	maxNetwork        = 2048
	maxServiceAccount = 253
	maxWorkloadPorts  = 128
)

// validateWorkloadEntry reports what is wrong with a WorkloadEntry.
func validateWorkloadEntry(c *checker, spec *networking.WorkloadEntry) {
	checkFields(c, spec)
	validateWorkload(c, "spec", spec)
}

// validateWorkload checks an endpoint, whichever object it is written in.
func validateWorkload(c *checker, path string, w *networking.WorkloadEntry) {
	validateAddress(c, path, w)
	validateCount(c, path+".ports", len(w.Ports), maxWorkloadPorts)
	for name := range sorted(w.Ports) {
		at := entry(path+".ports", name)
		validatePortName(c, at, name)
		if len(name) == maxLabel {
			c.invalid(at, "%d bytes: want at most %d in the name of a workload's port", maxLabel, maxLabel-1)
		}
	}
	validateCount(c, path+".labels", len(w.Labels), maxLabels)
	validateLabels(c, path+".labels", w.Labels)
	validateTLSLabel(c, path+".labels", w.Labels)
	warnZero(c, path+".weight", w.Weight, "it is 1")
	validateSize(c, path+".locality", w.Locality, maxLocality)
	validateSize(c, path+".network", w.Network, maxNetwork)
	validateSize(c, path+".serviceAccount", w.ServiceAccount, maxServiceAccount)
}

func validateSize(c *checker, path, value string, most int) {
	if len(value) > most {
		c.invalid(path, "%q: %d bytes, want at most %d", brief(value), len(value), most)
	}
}

// validateTLSLabel warns of a value that nobody knows, which means plaintext.
func validateTLSLabel(c *checker, path string, labels map[string]string) {
	const name = "security.istio.io/tlsMode"
	if mode, ok := labels[name]; ok && mode != "istio" && mode != "disabled" {
		c.warn(entry(path, name), "%q counts as disabled: want istio or disabled", mode)
	}
}

func validateAddress(c *checker, path string, w *networking.WorkloadEntry) {
	at, address := path+".address", w.Address
	validateSize(c, at, address, maxAddress)
	switch socket, unix := strings.CutPrefix(address, unixScheme); {
	case address == "" && w.Network == "":
		c.invalid(at, "missing: want an IP address, a host name or unix:///path")
	case address == "":
		c.warn(at, "missing: the endpoint is reached only through a gateway of network %q", w.Network)
	case unix:
		validateSocket(c, path, socket, len(w.Ports))
	case !isIP(address):
		if err := checkDomain(address); err != nil {
			c.invalid(at, "%v, an IP address or unix:///path", err)
		}
	}
}

// validateSocket checks the path of a Unix socket; @name is an abstract one.
func validateSocket(c *checker, path, socket string, ports int) {
	abstract := strings.HasPrefix(socket, "@")
	if !abstract && !strings.HasPrefix(socket, "/") || strings.HasSuffix(socket, "/") {
		c.invalid(path+".address", "%q: want the absolute path of a socket, not a directory, or @name", unixScheme+socket)
	}
	if c.written(path + ".ports") {
		c.invalid(path+".ports", "%d ports of a Unix socket: want none", ports)
	}
}
