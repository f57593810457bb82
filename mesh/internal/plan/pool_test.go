package plan_test

import (
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/retry"
)

// policy is the cluster of a.com:80 under a trafficPolicy, "" for no rule.
func policy(t *testing.T, trafficPolicy string) *plan.Cluster {
	t.Helper()
	p := compile(t)
	if trafficPolicy != "" {
		p = compile(t, destinationRule("d", "host: a.com\ntrafficPolicy: {"+trafficPolicy+"}"))
	}
	return p.Cluster(plan.ClusterKey{Host: "a.com", Port: 80})
}

func TestLimitsOfTheConnectionPool(t *testing.T) {
	for spec, want := range map[string]breaker.Limits{
		"":                           {}, // no limits
		"connectionPool: {http: {}}": {},
		"connectionPool: {tcp: {maxConnections: 0}, http: {maxRetries: 0}}": {}, // 0 is unset
		"connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 2, http2MaxRequests: 3, maxRetries: 4}}": {
			MaxConnections: 1, MaxPending: 2, MaxRequests: 3, MaxRetries: 4},
		"connectionPool: {http: {maxRetries: 4, http2MaxRequests: 3}}, retryBudget: {}": {MaxRequests: 3}, // the budget takes its place
	} {
		if got := policy(t, spec).Limits; got != want {
			t.Errorf("{%s}: %+v, want %+v", spec, got, want)
		}
	}
}

func TestConnectionsOfTheConnectionPool(t *testing.T) {
	with := func(change func(*plan.Connection)) plan.Connection {
		c := plan.Connection{ConnectTimeout: 10 * time.Second, IdleTimeout: time.Hour, TCPIdleTimeout: time.Hour}
		change(&c)
		return c
	}
	for spec, want := range map[string]plan.Connection{
		"": with(func(*plan.Connection) {}),
		"connectionPool: {tcp: {connectTimeout: 30ms}}":                         with(func(c *plan.Connection) { c.ConnectTimeout = 30 * time.Millisecond }),
		"connectionPool: {tcp: {maxConnections: 7}}":                            with(func(c *plan.Connection) { c.MaxConnections = 7 }),
		"connectionPool: {tcp: {idleTimeout: 5s}}":                              with(func(c *plan.Connection) { c.IdleTimeout, c.TCPIdleTimeout = 5*time.Second, 5*time.Second }),
		"connectionPool: {tcp: {idleTimeout: 0s}}":                              with(func(c *plan.Connection) { c.IdleTimeout, c.TCPIdleTimeout = -1, 0 }), // none
		"connectionPool: {tcp: {idleTimeout: 500us}}":                           with(func(c *plan.Connection) { c.IdleTimeout, c.TCPIdleTimeout = -1, 0 }), // cut to 0
		"connectionPool: {tcp: {idleTimeout: 5s}, http: {idleTimeout: 6s}}":     with(func(c *plan.Connection) { c.IdleTimeout, c.TCPIdleTimeout = 6*time.Second, 5*time.Second }),
		"connectionPool: {tcp: {maxConnectionDuration: 1m}}":                    with(func(c *plan.Connection) { c.MaxAge = time.Minute }),
		"connectionPool: {http: {maxRequestsPerConnection: 1}}":                 with(func(c *plan.Connection) { c.MaxRequests = 1 }),
		"connectionPool: {http: {maxConcurrentStreams: 9}}":                     with(func(c *plan.Connection) { c.MaxStreams = 9 }),
		"connectionPool: {http: {http2KeepAlive: {interval: 1s, timeout: 2s}}}": with(func(c *plan.Connection) { c.PingInterval, c.PingTimeout = time.Second, 2*time.Second }),
		"connectionPool: {http: {h2UpgradePolicy: UPGRADE}}":                    with(func(c *plan.Connection) { c.HTTP2 = plan.HTTP2Upgrade }),
		"connectionPool: {http: {h2UpgradePolicy: DO_NOT_UPGRADE}}":             with(func(*plan.Connection) {}),
		"connectionPool: {http: {useClientProtocol: true}}":                     with(func(c *plan.Connection) { c.HTTP2 = plan.HTTP2Client }),
		"connectionPool: {tcp: {tcpKeepalive: {}}}":                             with(func(c *plan.Connection) { c.KeepAlive.Enabled = true }),
		"connectionPool: {tcp: {tcpKeepalive: {probes: 3, time: 10s, interval: 1s}}}": with(func(c *plan.Connection) {
			c.KeepAlive = plan.KeepAlive{Enabled: true, Idle: 10 * time.Second, Wait: time.Second, Probes: 3}
		}),
	} {
		if got := policy(t, spec).Connection; got != want {
			t.Errorf("{%s}:\n got %+v\nwant %+v", spec, got, want)
		}
	}
}

func TestPortsThatAreDeclaredHTTP2SpeakIt(t *testing.T) {
	for protocol, want := range map[string]plan.HTTP2Mode{
		"HTTP": plan.HTTP2Auto, "HTTP2": plan.HTTP2Only, "http2": plan.HTTP2Only, "GRPC": plan.HTTP2Only, "grpc": plan.HTTP2Only,
		"GRPC-WEB": plan.HTTP2Only, "HTTPS": plan.HTTP2Auto, `""`: plan.HTTP2Auto,
	} {
		p := compile(t, serviceEntry("s", "hosts: [a.com]\nports: [{number: 80, name: http, protocol: "+protocol+"}]\nresolution: DNS"))
		if got := cluster(t, p, "http://a.com/").Connection.HTTP2; got != want {
			t.Errorf("%s: %v, want %v", protocol, got, want)
		}
	}
}

func TestOutlierDetection(t *testing.T) {
	on := func(change func(*breaker.Outlier)) breaker.Outlier {
		o := breaker.Outlier{Enabled: true, Consecutive5xx: 5, ConsecutiveLocalOrigin: 5, Interval: 10 * time.Second, BaseEjectionTime: 30 * time.Second, MaxEjectionPercent: 10, AlwaysEjectOne: true}
		change(&o)
		return o
	}
	for spec, want := range map[string]breaker.Outlier{
		"":                     {}, // off unless the block exists
		"outlierDetection: {}": on(func(*breaker.Outlier) {}),
		"outlierDetection: {consecutive5xxErrors: 0}":                                                 on(func(o *breaker.Outlier) { o.Consecutive5xx = 0 }), // explicit 0 disables
		"outlierDetection: {consecutive5xxErrors: 7}":                                                 on(func(o *breaker.Outlier) { o.Consecutive5xx = 7 }),
		"outlierDetection: {consecutiveGatewayErrors: 3}":                                             on(func(o *breaker.Outlier) { o.ConsecutiveGateway = 3 }),
		"outlierDetection: {consecutiveGatewayErrors: 0}":                                             on(func(*breaker.Outlier) {}),
		"outlierDetection: {splitExternalLocalOriginErrors: true}":                                    on(func(o *breaker.Outlier) { o.SplitLocalOrigin = true }),
		"outlierDetection: {splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2}": on(func(o *breaker.Outlier) { o.SplitLocalOrigin, o.ConsecutiveLocalOrigin = true, 2 }),
		"outlierDetection: {splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 0}": on(func(o *breaker.Outlier) { o.SplitLocalOrigin = true }),
		"outlierDetection: {interval: 1s, baseEjectionTime: 2m}":                                      on(func(o *breaker.Outlier) { o.Interval, o.BaseEjectionTime = time.Second, 2*time.Minute }),
		"outlierDetection: {maxEjectionPercent: 50}":                                                  on(func(o *breaker.Outlier) { o.MaxEjectionPercent, o.AlwaysEjectOne = 50, false }), // written: to the letter
		"outlierDetection: {maxEjectionPercent: 0}":                                                   on(func(*breaker.Outlier) {}),
		"outlierDetection: {consecutiveErrors: 9}":                                                    on(func(*breaker.Outlier) {}), // Istio ignores it too
	} {
		if got := policy(t, spec).Outlier; got != want {
			t.Errorf("{%s}:\n got %+v\nwant %+v", spec, got, want)
		}
	}
}

func TestRetryBudgets(t *testing.T) {
	if got := policy(t, "outlierDetection: {}").Budget; got != nil {
		t.Errorf("without a block there is a budget: %+v", got)
	}
	for spec, want := range map[string]retry.BudgetConfig{
		"retryBudget: {}":                        {Percent: 20, MinConcurrency: 3},
		"retryBudget: {percent: 0}":              {Percent: 0, MinConcurrency: 3},
		"retryBudget: {percent: 12.5}":           {Percent: 12.5, MinConcurrency: 3},
		"retryBudget: {minRetryConcurrency: 0}":  {Percent: 20, MinConcurrency: 3}, // "0 = 3"
		"retryBudget: {minRetryConcurrency: 10}": {Percent: 20, MinConcurrency: 10},
		"retryBudget: {budgetInterval: 10s}":     {Percent: 20, MinConcurrency: 3, Interval: 10 * time.Second},
		"retryBudget: {budgetInterval: 0s}":      {Percent: 20, MinConcurrency: 3},
	} {
		if got := policy(t, spec).Budget; got == nil || *got != want {
			t.Errorf("{%s}: %+v, want %+v", spec, got, want)
		}
	}
}
