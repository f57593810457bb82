package rules

import networking "istio.io/api/networking/v1alpha3"

func validatePool(c *checker, path string, p *networking.ConnectionPoolSettings) {
	if p == nil {
		return
	}
	if p.Tcp == nil && p.Http == nil {
		c.invalid(path, "empty: want tcp or http")
	}
	http := p.Http
	warnZero(c, path+".tcp.maxConnections", p.Tcp.GetMaxConnections(), "there is no limit")
	warnZero(c, path+".http.http1MaxPendingRequests", http.GetHttp1MaxPendingRequests(), "there is no limit")
	warnZero(c, path+".http.http2MaxRequests", http.GetHttp2MaxRequests(), "there is no limit")
	warnZero(c, path+".http.maxRetries", http.GetMaxRetries(), "there is no limit")
	if http.GetH2UpgradePolicy() == networking.ConnectionPoolSettings_HTTPSettings_UPGRADE && http.GetUseClientProtocol() {
		c.invalid(path+".http.useClientProtocol", "true beside h2UpgradePolicy UPGRADE: want one or the other")
	}
	if keepAlive := http.GetHttp2KeepAlive(); keepAlive != nil {
		validateKeepAlive(c, path+".http.http2KeepAlive", keepAlive)
	}
}

func validateKeepAlive(c *checker, path string, k *networking.ConnectionPoolSettings_HTTPSettings_ConnectionKeepalive) {
	if k.Interval == nil {
		c.invalid(path+".interval", "missing: want the time between pings")
	}
	if k.Timeout == nil {
		c.invalid(path+".timeout", "missing: want the time to wait for an answer to a ping")
	}
}
