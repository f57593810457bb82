package rules_test

import (
	"fmt"
	"testing"
)

func TestHostOfADestinationRule(t *testing.T) {
	verify(t, destinationRule, []row{
		{`host: reviews`, ``},
		{`host: "*"`, ``},
		{`host: "*.foo.com"`, ``},
		{`host: ""`, `invalid spec.host: empty`},
		{``, `invalid spec.host: empty`},
		{`host: 1.2.3.4`, `invalid spec.host: the last label "4" is a number`},
		{`host: a_b`, `invalid spec.host: bad label`},
		{`host: "a.*.com"`, `invalid spec.host: bad label "*"`},
	})
}

func TestWorkloadSelectorOfADestinationRule(t *testing.T) {
	wrap := func(s string) string { return destinationRule("host: a, workloadSelector: {" + s + "}") }
	labels := many(4097, func(i int) string { return fmt.Sprintf("l%d: x", i) })
	verify(t, wrap, []row{
		{`matchLabels: {app: web}`, ``},
		{``, `warning spec.workloadSelector: no labels`},
		{`matchLabels: {}`, `warning spec.workloadSelector: no labels`},
		{`matchLabels: {"": x}`, `invalid spec.workloadSelector[]: empty key`},
		{`matchLabels: {app: "w*"}`, `invalid spec.workloadSelector[app]: wildcards are not allowed`},
		{`matchLabels: {"*": x}`, `invalid spec.workloadSelector[*]: wildcards are not allowed`},
		{`matchLabels: {app: ` + repeat(64) + `}`, `invalid spec.workloadSelector[app]: 64 bytes: want at most 63`},
		{`matchLabels: {` + labels + `}`, `invalid spec.workloadSelector: 4097 labels: want at most 4096`},
	})
	verify(t, destinationRule, []row{
		{`host: a, workloadSelector: {matchLabels: {a: b}}, exportTo: [.]`, ``},
		{`host: a, workloadSelector: {matchLabels: {a: b}}, exportTo: [ns]`, ``},
		{`host: a, workloadSelector: {matchLabels: {a: b}}, exportTo: ["*"]`, `invalid spec.exportTo[0]: "*" beside workloadSelector`},
		{`host: a, workloadSelector: {matchLabels: {a: b}}, exportTo: [., other]`, `invalid spec.exportTo[1]: "other" beside workloadSelector`},
	})
}

func TestSubsets(t *testing.T) {
	wrap := func(s string) string { return destinationRule("host: a, subsets: [" + s + "]") }
	const at = "spec.subsets[0]"
	verify(t, wrap, []row{
		{`{name: v1, labels: {version: v1}}`, ``},
		{`{name: all}`, ``},
		{`{}`, `invalid ` + at + `.name: "": want 1 to 63`},
		{`{name: v.1}`, `invalid ` + at + `.name: "v.1": want 1 to 63`},
		{`{name: a}, {name: a}`, `invalid spec.subsets[1].name: "a" is the name of subsets[0] already`},
		{`null`, `invalid ` + at + `: null`},
		{`{name: a, labels: {-x: z}}`, `invalid ` + at + `.labels[-x]: key`},
		{`{name: a, trafficPolicy: {}}`, `invalid ` + at + `.trafficPolicy: empty`},
		{`{name: a, trafficPolicy: {connectionPool: {}}}`, `invalid ` + at + `.trafficPolicy.connectionPool: empty`},
		{`{name: a, trafficPolicy: {outlierDetection: {consecutiveErrors: 3}}}`, `warning ` + at + `.trafficPolicy.outlierDetection.consecutiveErrors: has no effect`},
		{`{name: a, trafficPolicy: {portLevelSettings: [{port: {number: 80}, connectionPool: {tcp: {maxConnections: -1}}}]}}`,
			`invalid ` + at + `.trafficPolicy.portLevelSettings[0].connectionPool.tcp.maxConnections: -1: want 0 or more`},
	})
}

func TestTrafficPolicies(t *testing.T) {
	verify(t, policy, []row{
		{``, `invalid spec.trafficPolicy: empty: want at least one field`},
		{`portLevelSettings: []`, `invalid spec.trafficPolicy: empty`},
		{`retryBudget: {}`, ``},
		{`loadBalancer: {}`, ``},
		{`outlierDetection: {}`, ``},
		{`tls: {}`, ``},
		{`tunnel: {targetHost: a.com, targetPort: 80}, proxyProtocol: {}`, `
			invalid spec.trafficPolicy.tunnel: stands beside proxyProtocol
			refused spec.trafficPolicy.tunnel: not yet enforced by inmesh: refusing rather than connecting without the tunnel
			refused spec.trafficPolicy.proxyProtocol: not yet enforced by inmesh: refusing rather than connecting without the PROXY header`},
		{`proxyProtocol: {version: V2}`, `refused spec.trafficPolicy.proxyProtocol: not yet`},
		{`proxyProtocol: {version: V3}`, `invalid spec.trafficPolicy.proxyProtocol.version: V3`},
	})
	const later = "\nrefused spec.trafficPolicy.tunnel: not yet enforced"
	verify(t, func(tunnel string) string { return policy("tunnel: {" + tunnel + "}") }, []row{
		{`protocol: CONNECT, targetHost: a.com, targetPort: 80`, later},
		{`protocol: POST, targetHost: 1.2.3.4, targetPort: 80`, later},
		{`protocol: GET, targetHost: a.com, targetPort: 80`, `invalid spec.trafficPolicy.tunnel.protocol: "GET": want CONNECT or POST` + later},
		{`targetPort: 80`, `invalid spec.trafficPolicy.tunnel.targetHost: empty` + later},
		{`targetHost: a_b, targetPort: 80`, `invalid spec.trafficPolicy.tunnel.targetHost: bad label` + later},
		{`targetHost: a.com`, `invalid spec.trafficPolicy.tunnel.targetPort: 0: want 1 to 65535` + later},
	})
	verify(t, func(budget string) string { return policy("retryBudget: {" + budget + "}") }, []row{
		{`percent: 25, minRetryConcurrency: 5, budgetInterval: 10s`, ``},
		{`percent: 0, budgetInterval: 0s`, ``},
		{`minRetryConcurrency: 0`, `warning spec.trafficPolicy.retryBudget.minRetryConcurrency: 0 counts as not written: it is 3`},
		{`percent: 100.5`, `invalid spec.trafficPolicy.retryBudget.percent: 100.5: want 0 to 100`},
		{`percent: -1`, `invalid spec.trafficPolicy.retryBudget.percent: -1: want 0 to 100`},
		{`budgetInterval: -1s`, `invalid spec.trafficPolicy.retryBudget.budgetInterval: -1s: want 0s or more`},
	})
}

func TestPortLevelSettings(t *testing.T) {
	wrap := func(s string) string { return policy("portLevelSettings: [" + s + "]") }
	const at = "spec.trafficPolicy.portLevelSettings"
	verify(t, wrap, []row{
		{`{port: {number: 80}, loadBalancer: {simple: RANDOM}}`, ``},
		{`{port: {number: 80}}`, `invalid ` + at + `[0]: empty: want loadBalancer`},
		{`{loadBalancer: {simple: RANDOM}}`, `invalid ` + at + `[0].port: missing`},
		{`{port: {number: 0}, loadBalancer: {simple: RANDOM}}`, `warning ` + at + `[0].port.number: 0: no port has this number`},
		{`{port: {}, loadBalancer: {simple: RANDOM}}`, `warning ` + at + `[0].port.number: 0: no port has this number`},
		{`{port: {number: 80}, tls: {}}, {port: {number: 80}, tls: {}}`, `warning ` + at + `[1].port.number: portLevelSettings[0] is for port 80 already`},
		{`null`, `invalid ` + at + `[0]: null`},
		{`{port: {number: 80}, tunnel: {}}`, `invalid ` + at + `[0].tunnel: has no field`},
	})
}

func TestConnectionPools(t *testing.T) {
	const tcp, http = "spec.trafficPolicy.connectionPool.tcp.", "spec.trafficPolicy.connectionPool.http."
	verify(t, func(p string) string { return policy("connectionPool: {" + p + "}") }, []row{
		{``, `invalid spec.trafficPolicy.connectionPool: empty: want tcp or http`},
		{`http: {}`, ``},
		{`tcp: {}`, ``},
	})
	verify(t, func(p string) string { return policy("connectionPool: {tcp: {" + p + "}}") }, []row{
		{`maxConnections: 100, connectTimeout: 30ms, tcpKeepalive: {probes: 3, time: 7200s, interval: 75s}, maxConnectionDuration: 1h, idleTimeout: 1h`, ``},
		{`maxConnections: 0`, `warning ` + tcp + `maxConnections: 0 counts as not written: there is no limit`},
		{`maxConnections: -1`, `invalid ` + tcp + `maxConnections: -1: want 0 or more`},
		{`connectTimeout: 0s`, `invalid ` + tcp + `connectTimeout: 0s`},
		{`connectTimeout: 1500us`, `invalid ` + tcp + `connectTimeout: 1.5ms: want whole milliseconds`},
		{`idleTimeout: 0s`, ``},
		{`idleTimeout: 500us`, ``},
		{`idleTimeout: 1500us`, `invalid ` + tcp + `idleTimeout: 1.5ms`},
		{`idleTimeout: -1s`, `invalid ` + tcp + `idleTimeout: -1s`},
		{`maxConnectionDuration: 0s`, `invalid ` + tcp + `maxConnectionDuration: 0s`},
		{`tcpKeepalive: {time: 0s, interval: 0s}`, `invalid ` + tcp + `tcpKeepalive.time: 0s` + "\ninvalid " + tcp + `tcpKeepalive.interval: 0s`},
	})
	verify(t, func(p string) string { return policy("connectionPool: {http: {" + p + "}}") }, []row{
		{`http1MaxPendingRequests: 1, http2MaxRequests: 1, maxRequestsPerConnection: 1, maxRetries: 1, idleTimeout: 1s, maxConcurrentStreams: 1`, ``},
		{`h2UpgradePolicy: UPGRADE`, ``},
		{`h2UpgradePolicy: DO_NOT_UPGRADE, useClientProtocol: true`, ``},
		{`h2UpgradePolicy: UPGRADE, useClientProtocol: true`, `invalid ` + http + `useClientProtocol: beside h2UpgradePolicy UPGRADE`},
		{`http1MaxPendingRequests: -1`, `invalid ` + http + `http1MaxPendingRequests: -1`},
		{`http2MaxRequests: -1`, `invalid ` + http + `http2MaxRequests: -1`},
		{`http1MaxPendingRequests: 0, http2MaxRequests: 0, maxRetries: 0, maxRequestsPerConnection: 0`, `
			warning ` + http + `http1MaxPendingRequests: 0 counts as not written: there is no limit
			warning ` + http + `http2MaxRequests: 0 counts as not written: there is no limit
			warning ` + http + `maxRetries: 0 counts as not written: there is no limit`},
		{`maxRequestsPerConnection: -1`, `invalid ` + http + `maxRequestsPerConnection: -1`},
		{`maxRetries: -1`, `invalid ` + http + `maxRetries: -1`},
		{`maxConcurrentStreams: -1`, `invalid ` + http + `maxConcurrentStreams: -1`},
		{`idleTimeout: 0s`, `invalid ` + http + `idleTimeout: 0s`},
		{`http2KeepAlive: {interval: 10s, timeout: 5s}`, ``},
		{`http2KeepAlive: {}`, `invalid ` + http + `http2KeepAlive.interval: missing` + "\ninvalid " + http + `http2KeepAlive.timeout: missing`},
		{`http2KeepAlive: {interval: 0s, timeout: 5s}`, `invalid ` + http + `http2KeepAlive.interval: 0s`},
	})
}

func TestLoadBalancers(t *testing.T) {
	const at = "spec.trafficPolicy.loadBalancer."
	verify(t, func(lb string) string { return policy("loadBalancer: {" + lb + "}") }, []row{
		{`simple: LEAST_REQUEST`, ``},
		{`simple: LEAST_CONN`, ``},
		{`simple: ROUND_ROBIN`, ``},
		{`simple: UNSPECIFIED`, ``},
		{`simple: PASSTHROUGH`, `warning ` + at + `simple: dials the address in the URL`},
		{`simple: FASTEST`, `invalid ` + at + `simple: FASTEST`},
		{`simple: RANDOM, consistentHash: {httpHeaderName: x}`, `invalid ` + at + `consistentHash: only one of`},
		{`warmupDurationSecs: 30s`, ``},
		{`warmupDurationSecs: 1500us`, ``},
		{`warmupDurationSecs: 0s`, `invalid ` + at + `warmupDurationSecs: 0s: want 1ms or more`},
		{`warmupDurationSecs: 30s, warmup: {duration: 30s}`, `warning ` + at + `warmupDurationSecs: has no effect beside warmup`},
		{`warmup: {duration: 30s, minimumPercent: 10, aggression: 0.5}`, ``},
		{`warmup: {}`, `invalid ` + at + `warmup.duration: missing`},
		{`warmup: {duration: 0s}`, `invalid ` + at + `warmup.duration: 0s`},
		{`warmup: {duration: 30s, minimumPercent: 101}`, `invalid ` + at + `warmup.minimumPercent: 101: want 0 to 100`},
		{`warmup: {duration: 30s, minimumPercent: -1}`, `invalid ` + at + `warmup.minimumPercent: -1: want 0 to 100`},
		{`warmup: {duration: 30s, aggression: 0}`, `invalid ` + at + `warmup.aggression: 0: want more than 0`},
	})
}

func TestConsistentHash(t *testing.T) {
	const at = "spec.trafficPolicy.loadBalancer.consistentHash"
	verify(t, func(h string) string { return policy("loadBalancer: {consistentHash: {" + h + "}}") }, []row{
		{`httpHeaderName: x-user`, ``},
		{`httpHeaderName: ""`, `warning ` + at + `.httpHeaderName: empty: every request goes to a random host`},
		{`httpQueryParameterName: q`, ``},
		{`httpQueryParameterName: ""`, `warning ` + at + `.httpQueryParameterName: empty`},
		{`useSourceIp: true`, `warning ` + at + `.useSourceIp: ALL requests of this process go to ONE host`},
		{`useSourceIp: false`, `warning ` + at + `.useSourceIp: false hashes nothing`},
		{``, `warning ` + at + `: no key to hash`},
		{`httpHeaderName: a, useSourceIp: true`, `invalid ` + at + `.useSourceIp: only one of`},
		{`httpCookie: {name: c}`, ``},
		{`httpCookie: {name: c, path: /, ttl: 0s}`, `warning ` + at + `.httpCookie.ttl: through the client's own cookie jar`},
		{`httpCookie: {name: c, ttl: -1s}`, "invalid " + at + ".httpCookie.ttl: -1s: want 0s or more\nwarning " + at + ".httpCookie.ttl: jar"},
		{`httpCookie: {}`, `invalid ` + at + `.httpCookie.name: missing`},
		{`httpCookie: {name: c, attributes: [{name: SameSite, value: Strict}, {name: Secure}]}`, ``},
		{`httpCookie: {name: c, attributes: [{value: x}]}`, `invalid ` + at + `.httpCookie.attributes[0].name: missing`},
		{`httpCookie: {name: c, attributes: [{name: a}, {name: a}]}`, `invalid ` + at + `.httpCookie.attributes[1].name: "a" is the name of attributes[0] already`},
		{`httpHeaderName: x, ringHash: {minimumRingSize: 2048}`, ``},
		{`httpHeaderName: x, ringHash: {}`, ``},
		{`httpHeaderName: x, ringHash: {minimumRingSize: 8388609}`, `refused ` + at + `.ringHash.minimumRingSize: 8388609: want at most 8388608`},
		{`httpHeaderName: x, maglev: {tableSize: 65537}`, ``},
		{`httpHeaderName: x, maglev: {tableSize: 1}`, ``},
		{`httpHeaderName: x, maglev: {tableSize: 2}`, ``},
		{`httpHeaderName: x, maglev: {tableSize: 5000009}`, `invalid ` + at + `.maglev.tableSize: 5000009`},
		{`httpHeaderName: x, maglev: {}`, `invalid ` + at + `.maglev.tableSize: missing`},
		{`httpHeaderName: x, maglev: {tableSize: 65536}`, `invalid ` + at + `.maglev.tableSize: 65536: want a prime below 5000011`},
		{`httpHeaderName: x, maglev: {tableSize: 49}`, `invalid ` + at + `.maglev.tableSize: 49`},
		{`httpHeaderName: x, maglev: {tableSize: 5000011}`, `invalid ` + at + `.maglev.tableSize: 5000011: want a prime below 5000011`},
		{`httpHeaderName: x, maglev: {tableSize: 65537}, ringHash: {}`, `invalid ` + at + `.ringHash: only one of`},
		{`httpHeaderName: x, minimumRingSize: 2048`, `warning ` + at + `.minimumRingSize: deprecated`},
		{`httpHeaderName: x, minimumRingSize: 2048, maglev: {tableSize: 65537}`, "invalid " + at + ".minimumRingSize: 2048 beside ringHash or maglev\nwarning " + at + ".minimumRingSize: deprecated"},
	})
}

func TestLocality(t *testing.T) {
	const at = "spec.trafficPolicy.loadBalancer.localityLbSetting"
	with := func(s string) string { return policy("outlierDetection: {}, loadBalancer: {" + s + "}") }
	verify(t, func(s string) string { return with("localityLbSetting: {" + s + "}") }, []row{
		{`enabled: false`, ``},
		{`failover: [{from: a, to: b}]`, ``},
		{`failover: [{from: a, to: a}]`, `invalid ` + at + `.failover[0].to: "a" fails over to itself`},
		{`failover: [{from: a/b, to: c}]`, `invalid ` + at + `.failover[0].from: "a/b": want a region without`},
		{`failover: [{from: a, to: "*"}]`, `invalid ` + at + `.failover[0].to: "*": want a region without`},
		{`failoverPriority: [topology.istio.io/network, topology.kubernetes.io/region, "team=x"]`, ``},
		{`failover: [{from: a, to: b}], failoverPriority: [team]`, ``},
		{`failover: [{from: a, to: b}], failoverPriority: [topology.kubernetes.io/zone]`, `invalid ` + at + `.failoverPriority[0]: beside failover`},
		{`distribute: [{from: a/*, to: {a/b: 80, a/c: 20}}]`, ``},
		{`distribute: [{from: a/*, to: {"a/*": 100}}], failover: [{from: a, to: b}]`, `invalid ` + at + `.failover: stands beside distribute`},
		{`distribute: [{from: a, to: {a: 80}}]`, `invalid ` + at + `.distribute[0].to: the shares add up to 80: want 100`},
		{`distribute: [{from: a, to: {a: 100, b: 0}}]`, `invalid ` + at + `.distribute[0].to[b]: 0: want 1 to 100`},
		{`distribute: [{from: a, to: {a: 101}}]`, "invalid " + at + ".distribute[0].to[a]: 101: want 1 to 100\ninvalid " + at + ".distribute[0].to: add up to 101"},
		{`distribute: [{from: a}]`, `invalid ` + at + `.distribute[0].to: add up to 0`},
		{`distribute: [{from: a, to: {a: 50, a/b: 50}}]`, `invalid ` + at + `.distribute[0].to: locality "a/b" overlaps with "a"`},
		{`distribute: [{from: a/, to: {a: 100}}]`, `invalid ` + at + `.distribute: locality "a/": want region/zone/subzone, no part empty`},
		{`distribute: [{from: "*/a", to: {a: 100}}]`, `invalid ` + at + `.distribute: locality "*/a": want at most one *, at the end`},
		{`distribute: [{from: "a/*/*", to: {a: 100}}]`, `invalid ` + at + `.distribute: locality "a/*/*": want at most one *`},
		{`distribute: [{from: "*", to: {a: 100}}, {from: a, to: {a: 100}}]`, `invalid ` + at + `.distribute: locality "a" overlaps with "*"`},
		{`distribute: [{from: "a/*", to: {a: 100}}, {from: a/b, to: {a: 100}}]`, `invalid ` + at + `.distribute: locality "a/b" overlaps with "a/*"`},
		{`distribute: [{from: a/b, to: {a: 100}}, {from: a, to: {a: 100}}]`, `invalid ` + at + `.distribute: locality "a" overlaps with "a/b"`},
		{`distribute: [{from: a/b, to: {a: 100}}, {from: "a/*", to: {a: 100}}, {from: "*", to: {a: 100}}]`, ``},
	})
	verify(t, policy, []row{
		{`loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}]}}`, `warning ` + at + `: failover has no effect without outlierDetection`},
		{`loadBalancer: {localityLbSetting: {failoverPriority: [team]}}`, `warning ` + at + `: failover has no effect without outlierDetection`},
		{`loadBalancer: {localityLbSetting: {enabled: true}}`, ``},
		{`outlierDetection: {}, portLevelSettings: [{port: {number: 80}, loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}]}}}]`,
			`warning spec.trafficPolicy.portLevelSettings[0].loadBalancer.localityLbSetting: without outlierDetection`},
	})
	verify(t, destinationRule, []row{
		{`host: a, trafficPolicy: {outlierDetection: {}}, subsets: [{name: v1, trafficPolicy: {loadBalancer: {localityLbSetting: {failoverPriority: [team]}}}}]`, ``},
		{`host: a, subsets: [{name: v1, trafficPolicy: {loadBalancer: {localityLbSetting: {failoverPriority: [team]}}}}]`,
			`warning spec.subsets[0].trafficPolicy.loadBalancer.localityLbSetting: without outlierDetection`},
	})
	const zone = "spec.trafficPolicy.loadBalancer.zoneAwareLbSetting"
	const part = "\nwarning " + zone + ": enforced in part"
	verify(t, func(s string) string { return with("zoneAwareLbSetting: {" + s + "}") }, []row{
		{``, part},
		{`enabled: true, failover: [{from: a, to: b}], failoverPriority: [team], minClusterSize: 1`, part},
		{`minClusterSize: 0`, `invalid ` + zone + `.minClusterSize: 0: want 1 or more` + part},
		{`failover: [{from: a, to: a}]`, `invalid ` + zone + `.failover[0].to: itself` + part},
		{`failoverPriority: [topology.istio.io/subzone]`, `invalid ` + zone + `.failoverPriority[0]: "topology.istio.io/subzone" in zoneAware` + part},
	})
	verify(t, with, []row{
		{`zoneAwareLbSetting: {}, localityLbSetting: {}`, `invalid ` + zone + `: stands beside localityLbSetting` + part},
	})
	verify(t, policy, []row{
		{`loadBalancer: {zoneAwareLbSetting: {failover: [{from: a, to: b}]}}`, `warning ` + zone + `: without outlierDetection only discovery tells who is healthy` + part},
	})
}

func TestOutlierDetection(t *testing.T) {
	const at = "spec.trafficPolicy.outlierDetection."
	verify(t, func(o string) string { return policy("outlierDetection: {" + o + "}") }, []row{
		{`consecutive5xxErrors: 0, consecutiveGatewayErrors: 0, interval: 1ms, baseEjectionTime: 1ms, maxEjectionPercent: 100, minHealthPercent: 0`, ``},
		{`splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 5`, ``},
		{`consecutiveLocalOriginFailures: 5`, `invalid ` + at + `consecutiveLocalOriginFailures: 5 without splitExternalLocalOriginErrors`},
		{`consecutiveLocalOriginFailures: 0`, ``},
		{`interval: 0s`, `invalid ` + at + `interval: 0s`},
		{`baseEjectionTime: 0s`, `invalid ` + at + `baseEjectionTime: 0s`},
		{`maxEjectionPercent: 0`, `warning ` + at + `maxEjectionPercent: 0 counts as not written: one host may always be ejected`},
		{`maxEjectionPercent: 101`, `invalid ` + at + `maxEjectionPercent: 101: want 0 to 100`},
		{`maxEjectionPercent: -1`, `invalid ` + at + `maxEjectionPercent: -1: want 0 to 100`},
		{`minHealthPercent: 101`, `invalid ` + at + `minHealthPercent: 101: want 0 to 100`},
		{`consecutiveErrors: 5`, `warning ` + at + `consecutiveErrors: has no effect: deprecated`},
		{`outlierDetectionHttpErrorCodes: [500, 503]`, `warning ` + at + `outlierDetectionHttpErrorCodes: has no effect`},
		{`outlierDetectionHttpErrorCodes: [99, 600]`, `
			invalid ` + at + `outlierDetectionHttpErrorCodes[0]: 99: want 100 to 599
			invalid ` + at + `outlierDetectionHttpErrorCodes[1]: 600: want 100 to 599
			warning ` + at + `outlierDetectionHttpErrorCodes: has no effect`},
	})
}

func TestClientTLS(t *testing.T) {
	const at = "spec.trafficPolicy.tls"
	const secret = "\nrefused " + at + ".credentialName: needs a secret service"
	verify(t, func(s string) string { return policy("tls: {" + s + "}") }, []row{
		{``, ``},
		{`mode: DISABLE`, ``},
		{`sni: a.com`, `warning ` + at + `: beside mode DISABLE: connections are in plaintext`},
		{`mode: MAYBE`, `invalid ` + at + `.mode: MAYBE`},
		{`mode: SIMPLE`, ``},
		{`mode: ISTIO_MUTUAL`, ``},
		{`mode: ISTIO_MUTUAL, sni: a.com, subjectAltNames: ["spiffe://td/ns/a/sa/b"]`, ``},
		{`mode: ISTIO_MUTUAL, clientCertificate: a, privateKey: b, caCertificates: c, caCrl: d, insecureSkipVerify: true`, `
			warning ` + at + `.clientCertificate: has no effect beside mode ISTIO_MUTUAL
			warning ` + at + `.privateKey: has no effect
			warning ` + at + `.caCertificates: has no effect
			warning ` + at + `.caCrl: has no effect
			warning ` + at + `.insecureSkipVerify: has no effect beside mode ISTIO_MUTUAL, which always verifies`},
		{`mode: SIMPLE, sni: a.com, subjectAltNames: [a.com], caCertificates: /ca.pem, caCrl: /crl.pem`, ``},
		{`mode: SIMPLE, clientCertificate: a, privateKey: b`, "warning " + at + ".clientCertificate: has no effect beside mode SIMPLE\nwarning " + at + ".privateKey: has no effect"},
		{`mode: MUTUAL, clientCertificate: a, privateKey: b, caCertificates: system, caCrl: c`, ``},
		{`mode: MUTUAL, privateKey: b`, `invalid ` + at + `.clientCertificate: missing`},
		{`mode: MUTUAL, clientCertificate: a`, `invalid ` + at + `.privateKey: missing`},
		{`mode: SIMPLE, insecureSkipVerify: true`, ``},
		{`mode: SIMPLE, insecureSkipVerify: true, caCertificates: a`, `invalid ` + at + `.caCertificates: beside insecureSkipVerify`},
		{`mode: SIMPLE, insecureSkipVerify: true, subjectAltNames: [a]`, `invalid ` + at + `.subjectAltNames: beside insecureSkipVerify`},
		{`mode: SIMPLE, insecureSkipVerify: true, credentialName: a`, `invalid ` + at + `.credentialName: beside insecureSkipVerify` + secret},
		{`mode: MUTUAL, insecureSkipVerify: true, credentialName: a`, secret},
		{`mode: MUTUAL, insecureSkipVerify: true, clientCertificate: a, privateKey: b, caCertificates: c`, `invalid ` + at + `.caCertificates: beside insecureSkipVerify`},
		{`mode: SIMPLE, credentialName: a`, secret},
		{`mode: SIMPLE, credentialName: a, caCertificates: b, caCrl: c`, "invalid " + at + ".caCertificates: beside credentialName\ninvalid " + at + ".caCrl: beside credentialName" + secret},
		{`mode: MUTUAL, credentialName: a, clientCertificate: b, privateKey: c`, "invalid " + at + ".clientCertificate: beside credentialName\ninvalid " + at + ".privateKey: beside credentialName" + secret},
		{`mode: SIMPLE, credentialName: "configmap://ns/a"`, secret},
		{`mode: SIMPLE, credentialName: "configmap://other/a"`, `invalid ` + at + `.credentialName: namespace "other", want the own one, "ns"` + secret},
	})
	verify(t, destinationRule, []row{
		{`host: a, subsets: [{name: v1, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}, portLevelSettings: [{port: {number: 80}, tls: {mode: MUTUAL, clientCertificate: a}}]}}]`,
			`invalid spec.subsets[0].trafficPolicy.portLevelSettings[0].tls.privateKey: missing`},
	})
}
