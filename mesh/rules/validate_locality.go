package rules

import (
	"maps"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// validateLocality checks where requests go by locality. They fail over only
// with an outlierDetection in force.
func validateLocality(c *checker, path string, lb *networking.LoadBalancerSettings, outlier *networking.OutlierDetection) {
	if zone := lb.GetZoneAwareLbSetting(); zone != nil {
		validateZoneAware(c, path+".zoneAwareLbSetting", zone)
		if outlier == nil && len(zone.Failover)+len(zone.FailoverPriority) > 0 {
			c.warn(path+".zoneAwareLbSetting", "without outlierDetection only discovery tells who is healthy, and so when to fail over")
		}
	}
	if setting := lb.GetLocalityLbSetting(); setting != nil {
		validateLocalitySetting(c, path+".localityLbSetting", setting)
		warnFailover(c, path+".localityLbSetting", outlier, len(setting.Failover)+len(setting.FailoverPriority))
	}
}

func warnFailover(c *checker, path string, outlier *networking.OutlierDetection, entries int) {
	if outlier == nil && entries > 0 {
		c.warn(path, "failover has no effect without outlierDetection, which tells who is healthy")
	}
}

func validateLocalitySetting(c *checker, path string, setting *networking.LocalityLoadBalancerSetting) {
	if len(setting.Distribute) > 0 && len(setting.Failover) > 0 {
		c.invalid(path+".failover", "stands beside distribute: want one or the other")
	}
	if len(setting.Failover) > 0 {
		validatePriorityLabels(c, path+".failoverPriority", setting.FailoverPriority, "beside failover: that fails over by region, zone and subzone itself")
	}
	var from []string
	for i, d := range setting.Distribute {
		at := item(path, "distribute", i)
		from = append(from, d.GetFrom())
		validateShares(c, at+".to", d.GetTo())
	}
	validateLocalities(c, path+".distribute", from)
	for i, f := range setting.Failover {
		validateFailover(c, item(path, "failover", i), f.GetFrom(), f.GetTo())
	}
}

func validateZoneAware(c *checker, path string, z *networking.ZoneAwareLoadBalancerSetting) {
	validatePriorityLabels(c, path+".failoverPriority", z.FailoverPriority, "in zoneAwareLbSetting, which knows them by itself")
	for i, f := range z.Failover {
		validateFailover(c, item(path, "failover", i), f.GetFrom(), f.GetTo())
	}
}

// validatePriorityLabels rejects the labels that stand for a locality.
func validatePriorityLabels(c *checker, path string, labels []string, where string) {
	topology := []string{"topology.kubernetes.io/region", "topology.kubernetes.io/zone", "topology.istio.io/subzone"}
	for i, label := range labels {
		if slices.Contains(topology, label) {
			c.invalid(nth(path, i), "%q %s", label, where)
		}
	}
}

func validateFailover(c *checker, path, from, to string) {
	if from == to {
		c.invalid(path+".to", "%q fails over to itself: want another region", to)
	}
	for _, end := range []struct{ field, region string }{{"from", from}, {"to", to}} {
		if strings.ContainsAny(end.region, "/*") {
			c.invalid(path+"."+end.field, "%q: want a region without / or *", end.region)
		}
	}
}

// validateShares checks where the traffic of one locality goes, in percent.
func validateShares(c *checker, path string, to map[string]uint32) {
	var total uint64
	for _, share := range to {
		total += uint64(share)
	}
	if total != 100 {
		c.invalid(path, "the shares add up to %d: want 100", total)
	}
	validateLocalities(c, path, slices.Sorted(maps.Keys(to)))
}

// validateLocalities checks the localities of one list: none may cover another.
func validateLocalities(c *checker, path string, localities []string) {
	for i, locality := range localities {
		if stars := strings.Count(locality, "*"); stars > 1 || stars == 1 && !strings.HasSuffix(locality, "*") {
			c.invalid(path, "locality %q: want at most one *, at the end", locality)
		}
		if slices.Contains(strings.SplitN(locality, "/", 3), "") {
			c.invalid(path, "locality %q: want region/zone/subzone, no part empty", locality)
			continue
		}
		for _, earlier := range localities[:i] {
			if localitiesOverlap(earlier, locality) {
				c.invalid(path, "locality %q overlaps with %q", locality, earlier)
			}
		}
	}
}

// localitiesOverlap compares part by part: what is not written covers
// everything. A * covers what comes after it; after more specific localities it
// is the rest, the first that matches being used.
func localitiesOverlap(earlier, later string) bool {
	es, ls := strings.SplitN(earlier, "/", 3), strings.SplitN(later, "/", 3)
	for i := range min(len(es), len(ls)) {
		if es[i] == "*" {
			return true
		}
		if es[i] != ls[i] {
			return false
		}
	}
	return true
}
