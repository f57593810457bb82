package plan

import (
	"cmp"
	"time"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/balancer"
	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/retry"
)

// A Connection is how a cluster's connections are made and kept. It is
// comparable: connections are made anew only if it changes.
type Connection struct {
	ConnectTimeout time.Duration // TCP and TLS handshake; default 10 s
	KeepAlive      KeepAlive
	IdleTimeout    time.Duration // default 1 h; negative: none
	TCPIdleTimeout time.Duration // of raw connections; default 1 h; 0 none
	MaxAge         time.Duration // then drained; 0 no limit
	MaxRequests    int           // per connection; 0 no limit
	MaxConnections int           // 0 no limit
	MaxStreams     int           // per HTTP/2 connection; 0 the server's
	HTTP2          HTTP2Mode
	PingInterval   time.Duration // HTTP/2 keep-alive; 0 off
	PingTimeout    time.Duration
}

// KeepAlive is TCP's; zero fields are the operating system's.
type KeepAlive struct {
	Enabled    bool
	Idle, Wait time.Duration // before the first probe, between probes
	Probes     int
}

// HTTP2Mode says which protocol a cluster speaks.
type HTTP2Mode uint8

const (
	// HTTP2Auto: HTTP/1.1 in the clear, what ALPN agrees on over TLS; HTTP/2 for
	// ports declared HTTP2, GRPC or GRPC-WEB.
	HTTP2Auto HTTP2Mode = iota
	// HTTP2Upgrade: HTTP/2 wherever the server speaks it.
	HTTP2Upgrade
	// HTTP2Client: the version of the caller's own request.
	HTTP2Client
	// HTTP2Only: HTTP/2, in the clear by prior knowledge.
	HTTP2Only
)

const (
	defaultConnectTimeout = 10 * time.Second // Istio mesh config, connectTimeout
	defaultIdleTimeout    = time.Hour        // Envoy, common_http_protocol_options.idle_timeout
)

func (c *Cluster) apply(b blocks, w Workload) {
	c.Passthrough = b.lb.GetSimple() == networking.LoadBalancerSettings_PASSTHROUGH
	c.Hash = compileHashKey(b.lb)
	c.Balancer = compileBalancer(b.lb, b.outlier, w)
	c.Limits = compileLimits(b.pool)
	c.Outlier = compileOutlier(b.outlier)
	if c.Budget = compileBudget(b.budget); c.Budget != nil {
		c.Limits.MaxRetries = 0 // a budget takes its place
	}
	c.Connection = compileConnection(b.pool, c.Service, c.Key.Port)
	c.TLS = compileTLS(b.tls, c.Service)
	c.Passthrough = c.Passthrough || c.Service != nil && c.Service.Resolution == networking.ServiceEntry_NONE
	if c.Passthrough && c.Service.many() { // one that is down says nothing of the others
		c.Outlier = breaker.Outlier{}
	}
}

func compileLimits(pool *networking.ConnectionPoolSettings) breaker.Limits {
	return breaker.Limits{
		MaxConnections: uint32(pool.GetTcp().GetMaxConnections()),
		MaxPending:     uint32(pool.GetHttp().GetHttp1MaxPendingRequests()),
		MaxRequests:    uint32(pool.GetHttp().GetHttp2MaxRequests()),
		MaxRetries:     uint32(pool.GetHttp().GetMaxRetries()),
	}
}

// compileOutlier: the block switches detection on; without maxEjectionPercent
// one host may always be ejected. (Istio: 10 %, so that under ten endpoints
// nothing ever is.)
func compileOutlier(spec *networking.OutlierDetection) breaker.Outlier {
	if spec == nil {
		return breaker.Outlier{}
	}
	o := breaker.DefaultOutlier()
	if v := spec.Consecutive_5XxErrors; v != nil {
		o.Consecutive5xx = v.Value
	}
	o.ConsecutiveGateway = spec.GetConsecutiveGatewayErrors().GetValue()
	o.SplitLocalOrigin = spec.SplitExternalLocalOriginErrors
	// Unlike the others Istio does not hand on a 0, so that Envoy's default stands.
	o.ConsecutiveLocalOrigin = cmp.Or(spec.GetConsecutiveLocalOriginFailures().GetValue(), o.ConsecutiveLocalOrigin)
	o.Interval = cmp.Or(spec.GetInterval().AsDuration(), o.Interval)
	o.BaseEjectionTime = cmp.Or(spec.GetBaseEjectionTime().AsDuration(), o.BaseEjectionTime)
	o.MaxEjectionPercent = cmp.Or(int(spec.MaxEjectionPercent), o.MaxEjectionPercent)
	o.AlwaysEjectOne = spec.MaxEjectionPercent == 0
	return o
}

func compileBudget(spec *networking.TrafficPolicy_RetryBudget) *retry.BudgetConfig {
	if spec == nil {
		return nil
	}
	b := retry.DefaultBudget()
	b.MinConcurrency = cmp.Or(int(spec.MinRetryConcurrency), b.MinConcurrency)
	b.Interval = spec.GetBudgetInterval().AsDuration()
	if spec.Percent != nil {
		b.Percent = spec.Percent.Value
	}
	return &b
}

func compileConnection(pool *networking.ConnectionPoolSettings, s *Service, port uint16) Connection {
	tcp, http := pool.GetTcp(), pool.GetHttp()
	c := Connection{
		ConnectTimeout: cmp.Or(tcp.GetConnectTimeout().AsDuration(), defaultConnectTimeout),
		IdleTimeout:    idleTimeout(tcp, http),
		TCPIdleTimeout: max(idleTimeout(tcp, nil), 0),
		MaxAge:         tcp.GetMaxConnectionDuration().AsDuration(),
		MaxRequests:    int(http.GetMaxRequestsPerConnection()),
		MaxConnections: int(tcp.GetMaxConnections()),
		MaxStreams:     int(http.GetMaxConcurrentStreams()),
		PingInterval:   http.GetHttp2KeepAlive().GetInterval().AsDuration(),
		PingTimeout:    http.GetHttp2KeepAlive().GetTimeout().AsDuration(),
		HTTP2:          http2Mode(http, s, port),
	}
	if k := tcp.GetTcpKeepalive(); k != nil {
		c.KeepAlive = KeepAlive{true, k.GetTime().AsDuration(), k.GetInterval().AsDuration(), int(k.Probes)}
	}
	return c
}

// idleTimeout: HTTP's own, else TCP's, of which an explicit zero means none.
func idleTimeout(tcp *networking.ConnectionPoolSettings_TCPSettings, http *networking.ConnectionPoolSettings_HTTPSettings) time.Duration {
	if d := http.GetIdleTimeout(); d != nil {
		return d.AsDuration()
	}
	if d := tcp.GetIdleTimeout(); d != nil {
		return cmp.Or(d.AsDuration().Truncate(time.Millisecond), -1)
	}
	return defaultIdleTimeout
}

func http2Mode(http *networking.ConnectionPoolSettings_HTTPSettings, s *Service, port uint16) HTTP2Mode {
	switch {
	case http.GetUseClientProtocol():
		return HTTP2Client
	case s.declaresHTTP2(port):
		return HTTP2Only
	case http.GetH2UpgradePolicy() == networking.ConnectionPoolSettings_HTTPSettings_UPGRADE:
		return HTTP2Upgrade
	}
	return HTTP2Auto
}

func (s *Service) declaresHTTP2(port uint16) bool {
	if s == nil {
		return false
	}
	p, _ := s.port(port)
	return p.Protocol == "HTTP2" || p.Protocol == "GRPC" || p.Protocol == "GRPC-WEB"
}

func compileBalancer(lb *networking.LoadBalancerSettings, outlier *networking.OutlierDetection, w Workload) balancer.Config {
	c := balancer.Config{
		PanicThreshold: int(outlier.GetMinHealthPercent()),
		Warmup:         compileWarmup(lb),
		Locality:       compileLocality(lb, outlier != nil, w),
	}
	switch lb.GetSimple() {
	case networking.LoadBalancerSettings_ROUND_ROBIN:
		c.Policy = balancer.RoundRobin
	case networking.LoadBalancerSettings_RANDOM:
		c.Policy = balancer.Random
	}
	if h := lb.GetConsistentHash(); h != nil {
		c.Policy = balancer.RingHash
		c.MinimumRingSize = cmp.Or(h.GetRingHash().GetMinimumRingSize(), h.MinimumRingSize) //nolint:staticcheck // deprecated, still obeyed
		if m := h.GetMaglev(); m != nil {
			c.Policy, c.TableSize = balancer.Maglev, m.TableSize
		}
	}
	return c
}

func compileWarmup(lb *networking.LoadBalancerSettings) balancer.Warmup {
	w := lb.GetWarmup()
	if w == nil {
		return balancer.Warmup{Duration: lb.GetWarmupDurationSecs().AsDuration()} //nolint:staticcheck // deprecated, still obeyed
	}
	out := balancer.Warmup{Duration: w.GetDuration().AsDuration(), Aggression: w.GetAggression().GetValue()}
	if w.MinimumPercent != nil {
		// A zero that is written is next to nothing; to the balancer it is its default.
		out.MinimumPercent = max(w.MinimumPercent.Value, 1e-6)
	}
	return out
}

// compileLocality: failover by locality needs outlier detection, which is what
// tells that a place is down. Zone-aware balancing keeps to the region without it.
func compileLocality(lb *networking.LoadBalancerSettings, outlier bool, w Workload) balancer.Locality {
	out := balancer.Locality{Local: w.Locality, LocalLabels: w.Labels, Failover: outlier}
	if zone := lb.GetZoneAwareLbSetting(); zone != nil {
		out.RegionsOnly, out.Failover = true, zone.Enabled == nil || zone.Enabled.Value
		out.FailoverPriority = zone.FailoverPriority
		for _, f := range zone.Failover {
			out.FailoverRegions = append(out.FailoverRegions, balancer.RegionFailover{From: f.From, To: f.To})
		}
		return out
	}
	set := lb.GetLocalityLbSetting()
	if set.GetEnabled() != nil && !set.Enabled.Value {
		return balancer.Locality{}
	}
	for _, d := range set.GetDistribute() {
		out.Distribute = append(out.Distribute, balancer.Distribute{From: d.From, To: d.To})
	}
	for _, f := range set.GetFailover() {
		out.FailoverRegions = append(out.FailoverRegions, balancer.RegionFailover{From: f.From, To: f.To})
	}
	out.FailoverPriority = set.GetFailoverPriority()
	return out
}
