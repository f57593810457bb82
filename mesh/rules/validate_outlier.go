package rules

import networking "istio.io/api/networking/v1alpha3"

func validateOutlier(c *checker, path string, o *networking.OutlierDetection) {
	if n := o.GetConsecutiveLocalOriginFailures().GetValue(); n > 0 && !o.GetSplitExternalLocalOriginErrors() {
		c.invalid(path+".consecutiveLocalOriginFailures", "%d without splitExternalLocalOriginErrors: want that to be true", n)
	}
	warnZero(c, path+".maxEjectionPercent", o.GetMaxEjectionPercent(), "one host may always be ejected; to eject none, leave outlierDetection out")
}
