package rules

import (
	"cmp"

	networking "istio.io/api/networking/v1alpha3"
)

// validateDestinationRule reports what is wrong with a DestinationRule.
func validateDestinationRule(c *checker, spec *networking.DestinationRule) {
	checkFields(c, spec)
	if err := checkWildcardDomain(spec.Host); err != nil {
		c.invalid("spec.host", "%v", err)
	}
	validateTrafficPolicy(c, "spec.trafficPolicy", spec.TrafficPolicy, nil)
	validateSubsets(c, spec)
	validateExportTo(c, spec.ExportTo, false)
	if selector := spec.WorkloadSelector; selector != nil {
		validateSelector(c, "spec.workloadSelector", selector.MatchLabels, selectorLimits{labels: 4096, value: 63})
		validateOwnNamespace(c, spec.ExportTo)
	}
}

// validateOwnNamespace checks that a rule for selected workloads, which are
// those of its own namespace, is not exported to others.
func validateOwnNamespace(c *checker, exportTo []string) {
	for i, to := range exportTo {
		if c.exportNamespace(to) != c.meta.Namespace {
			c.invalid(nth("spec.exportTo", i), "%q beside workloadSelector: want only the own namespace", to)
		}
	}
}

func validateSubsets(c *checker, spec *networking.DestinationRule) {
	first := map[string]int{}
	for i, subset := range spec.Subsets {
		path := nth("spec.subsets", i)
		validateSubsetName(c, path+".name", subset.Name)
		if j, duplicate := first[subset.Name]; duplicate {
			c.invalid(path+".name", "%q is the name of subsets[%d] already", subset.Name, j)
		} else {
			first[subset.Name] = i
		}
		validateLabels(c, path+".labels", subset.Labels)
		validateTrafficPolicy(c, path+".trafficPolicy", subset.TrafficPolicy, spec.GetTrafficPolicy().GetOutlierDetection())
	}
}

// validateTrafficPolicy checks the policy of a host, or that of a subset, which
// inherits the blocks that it does not write.
func validateTrafficPolicy(c *checker, path string, p *networking.TrafficPolicy, inherited *networking.OutlierDetection) {
	if p == nil {
		return
	}
	blocks := blocksOf(p)
	if blocks.none() && len(p.PortLevelSettings) == 0 && p.Tunnel == nil && p.ProxyProtocol == nil && p.RetryBudget == nil {
		c.invalid(path, "empty: want at least one field")
	}
	if p.Tunnel != nil && p.ProxyProtocol != nil {
		c.invalid(path+".tunnel", "stands beside proxyProtocol: want one or the other")
	}
	blocks.validate(c, path, inherited)
	validateTunnel(c, path+".tunnel", p.Tunnel)
	warnZero(c, path+".retryBudget.minRetryConcurrency", p.GetRetryBudget().GetMinRetryConcurrency(), "it is 3")
	validatePortLevels(c, path+".portLevelSettings", p.PortLevelSettings)
}

func validatePortLevels(c *checker, path string, settings []*networking.TrafficPolicy_PortTrafficPolicy) {
	first := map[uint32]int{}
	for i, s := range settings {
		at := nth(path, i)
		blocks := blocksOf(s)
		if blocks.none() {
			c.invalid(at, "empty: want loadBalancer, connectionPool, outlierDetection or tls")
		}
		blocks.validate(c, at, nil) // ports inherit nothing
		if s.Port == nil {
			c.invalid(at+".port", "missing: want a port number")
			continue
		}
		number := s.Port.Number
		if number < 1 || number > 65535 {
			c.warn(at+".port.number", "%d: no port has this number, the settings have no effect", number)
		}
		if j, duplicate := first[number]; duplicate {
			c.warn(at+".port.number", "has no effect: portLevelSettings[%d] is for port %d already", j, number)
		} else {
			first[number] = i
		}
	}
}

// policyBlocks are the four blocks that a policy can have at every level.
type policyBlocks struct {
	balancer *networking.LoadBalancerSettings
	pool     *networking.ConnectionPoolSettings
	outlier  *networking.OutlierDetection
	tls      *networking.ClientTLSSettings
}

func blocksOf(p interface {
	GetLoadBalancer() *networking.LoadBalancerSettings
	GetConnectionPool() *networking.ConnectionPoolSettings
	GetOutlierDetection() *networking.OutlierDetection
	GetTls() *networking.ClientTLSSettings
}) policyBlocks {
	return policyBlocks{p.GetLoadBalancer(), p.GetConnectionPool(), p.GetOutlierDetection(), p.GetTls()}
}

func (b policyBlocks) none() bool { return b == policyBlocks{} }

func (b policyBlocks) validate(c *checker, path string, inherited *networking.OutlierDetection) {
	validateLoadBalancer(c, path+".loadBalancer", b.balancer)
	validateLocality(c, path+".loadBalancer", b.balancer, cmp.Or(b.outlier, inherited))
	validatePool(c, path+".connectionPool", b.pool)
	validateOutlier(c, path+".outlierDetection", b.outlier)
	validateTLS(c, path+".tls", b.tls)
}
