package rules

import (
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

func validateTLSRoutes(c *checker, spec *networking.VirtualService) {
	for i, route := range spec.Tls {
		path := nth("spec.tls", i)
		if len(route.Match) == 0 {
			c.invalid(path+".match", "missing: want at least one match with sniHosts")
		}
		for j, match := range route.Match {
			validateTLSMatch(c, item(path, "match", j), match, spec)
		}
		validateRoute(c, path+".route", route.Route)
	}
}

func validateTCPRoutes(c *checker, spec *networking.VirtualService) {
	for i, route := range spec.Tcp {
		path := nth("spec.tcp", i)
		for j, match := range route.Match {
			at := item(path, "match", j)
			validateSubnets(c, at+".destinationSubnets", match.GetDestinationSubnets())
			validateLabels(c, at+".sourceLabels", match.GetSourceLabels())
			validateGatewayNames(c, at+".gateways", match.GetGateways())
		}
		validateRoute(c, path+".route", route.Route)
	}
}

func validateRoute(c *checker, path string, route []*networking.RouteDestination) {
	if len(route) == 0 {
		c.invalid(path, "missing: want at least one destination")
	}
	validateSplits(c, path, route)
}

func validateTLSMatch(c *checker, path string, m *networking.TLSMatchAttributes, spec *networking.VirtualService) {
	if len(m.SniHosts) == 0 {
		c.invalid(path+".sniHosts", "missing: want at least one host")
	}
	for i, host := range m.SniHosts {
		validateSNI(c, item(path, "sniHosts", i), host, spec)
	}
	validateSubnets(c, path+".destinationSubnets", m.DestinationSubnets)
	validateLabels(c, path+".sourceLabels", m.SourceLabels)
	validateGatewayNames(c, path+".gateways", m.Gateways)
}

func validateSNI(c *checker, path, host string, spec *networking.VirtualService) {
	if err := checkVirtualHost(host, spec); err != nil {
		if isIP(host) {
			c.warn(path, "%q never matches: clients do not send an IP address as server name", host)
			return
		}
		c.invalid(path, "%v", err)
		return
	}
	covered := func(virtual string) bool { return hostCovers(virtual, host) }
	if !slices.ContainsFunc(spec.Hosts, covered) {
		c.invalid(path, "%q: not covered by any of spec.hosts as they are written: %s", host, strings.Join(spec.Hosts, ", "))
	}
}
