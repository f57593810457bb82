// Package admin shows what a mesh does: an http.Handler with pages for people and
// JSON for programs. It is read-only.
//
//	http.Handle("/mesh/", http.StripPrefix("/mesh", admin.New(m, admin.Config{})))
//
// # Who may look
//
// Callers on this machine, and nobody else unless Config.Allow says so. A caller
// is on this machine if the connection comes from a loopback address or a unix
// socket and nobody stands between (X-Forwarded-For and its like). The Host of a
// request must be an address, localhost or one of Config.Hosts, so that no name
// of a stranger can be pointed here; pages of other origins get no data, and there
// is no CORS. Pages run under a strict Content-Security-Policy and load nothing
// from anywhere else.
//
// # The data
//
// All by GET, in JSON, under paths relative to where the handler is mounted.
// Fields that are empty may be missing. Instants are RFC 3339.
//
// api/topology is a Topology: who calls whom, with the traffic of the last window,
// a parameter of 1s to 60s (10s). The parameter format is json, dot or mermaid.
// With fleet=1 it is that of all instances together, see below.
//
//	{"instance": {"id": "…", "service": "productpage", "namespace": "default", "labels": {"version": "v1"}},
//	 "at": "2026-01-02T15:04:05Z", "windowSeconds": 60,
//	 "nodes": [{"id": "default/productpage@v1", "namespace": "default", "name": "productpage", "version": "v1"}],
//	 "edges": [{"source": "default/productpage@v1", "target": "default/reviews@v2", "protocol": "http", "secure": true,
//	            "requestsPerSecond": 19.5, "errorsPerSecond": 0.2, "errorRate": 0.01, "p50Milliseconds": 1.2, …}]}
//
// An edge of protocol tcp has "connections", those that stand; its requests are those
// that were opened.
//
// With fleet=1 there are, beside, "instances": who was asked, and who did not answer.
//
//	"instances": [{"service": "reviews.default", "endpoint": "127.0.0.1:9080", "instance": {"id": "…", …}},
//	              {"service": "ratings.default", "endpoint": "127.0.0.1:9081", "error": "… connection refused"}]
//
// api/destinations is Destinations: where this process has sent requests so far.
//
//	{"at": "…", "destinations": [
//	  {"service": "reviews.default.svc.cluster.local", "subset": "v1", "balance": "LEAST_REQUEST", "labels": {"version": "v1"},
//	   "policy": {"kind": "DestinationRule", "namespace": "default", "name": "reviews", "file": "rules/reviews.yaml", "line": 1},
//	   "requests": 2, "pending": 0, "retries": 0, "connections": 1, "limits": {"requests": 100}, "discovered": "…",
//	   "endpoints": [{"address": "127.0.0.1:9080", "weight": 1, "health": "healthy", "available": false, "circuit": "open",
//	                  "ejections": 1, "until": "…", "reason": "consecutive5xxErrors", "failures": 0, "active": 0, "tls": "identity"}]}]}
//
// api/rules is Rules: what is in force, and what is wrong.
//
//	{"version": "9f86d081884c", "since": "…",
//	 "objects": [{"kind": "VirtualService", "apiVersion": "networking.istio.io/v1", "namespace": "default", "name": "reviews",
//	              "file": "rules/reviews.yaml", "line": 1, "spec": {…}}],
//	 "warnings": [], "rejected": 1, "error": "…",
//	 "faults": [{"severity": "invalid", "file": "rules/reviews.yaml", "line": 12, "kind": "VirtualService", "namespace": "default",
//	             "name": "reviews", "field": "spec.http[0].wieght", "message": "…"}]}
//
// api/explain?method=GET&host=reviews&path=/reviews/7&header=end-user:+jason is an
// Explanation: what would become of such a request, without sending it. Its other
// parameter is scheme, of which tcp asks about a raw connection (the host has a port
// then); header may stand many times, and Host in it is the request's own. A request that cannot be made
// is a Problem (400).
//
//	{"request": {"method": "GET", "url": "http://reviews/reviews/7"}, "service": "reviews.default.svc.cluster.local", "ours": true,
//	 "rule": {"kind": "VirtualService", "namespace": "default", "name": "reviews", "file": "…", "line": 1},
//	 "routes": [{"name": "", "field": "spec.http[0]", "line": 9, "matched": false, "failed": ["…"]},
//	            {"name": "", "field": "spec.http[1]", "line": 15, "matched": true}],
//	 "action": "forward", "timeout": "3s", "retries": "…",
//	 "destinations": [{"host": "…", "subset": "v1", "share": 0.9, "balance": "…", "endpoints": [ as of api/destinations ],
//	                   "access": [{"endpoints": ["127.0.0.1:9080"], "namespace": "default", "labels": {"app": "reviews", "version": "v1"},
//	                               "peer": "spiffe://cluster.local/ns/default/sa/productpage", "mode": "STRICT", "allowed": true,
//	                               "reason": "allowed by ns[default]-policy[reviews]-rule[0]",
//	                               "policy": {"kind": "AuthorizationPolicy", "namespace": "default", "name": "reviews", …}}]}]}
//
// Access is what the AuthorizationPolicies and PeerAuthentications would decide on the
// other side, by the rules of this process.
//
// api/certificates is Certificates: who this process proves to be, and whom it
// trusts. There are no keys in it.
//
//	{"at": "…", "id": "spiffe://cluster.local/ns/default/sa/productpage", "rotations": 0,
//	 "chain": [{"subject": "", "issuer": "CN=…", "serial": "1f", "uris": ["spiffe://…"], "notBefore": "…", "notAfter": "…",
//	            "key": "ECDSA", "signature": "ECDSA-SHA256", "fingerprint": "9f86…"}],
//	 "bundles": [{"trustDomain": "cluster.local", "roots": [ the same ]}]}
//
// api/requests is Requests: what is under way, the oldest first, raw connections too.
// Requests to hosts that no rule and no source knows are neither here nor in api/tap;
// topology counts them.
//
//	{"at": "…", "total": 3, "requests": [
//	  {"direction": "outbound", "start": "…", "method": "GET", "host": "reviews", "path": "/reviews/7", "route": "for-all",
//	   "service": "reviews.default.svc.cluster.local", "endpoint": "127.0.0.1:9080", "attempts": 2},
//	  {"direction": "inbound", "start": "…", "method": "GET", "host": "productpage", "path": "/", "source": "127.0.0.1:5123",
//	   "peer": "spiffe://…"},
//	  {"direction": "outbound", "protocol": "tcp", "start": "…", "method": "", "host": "redis:6379", "path": "", "route": "spec.tcp[0]",
//	   "service": "redis.default.svc.cluster.local", "endpoint": "127.0.0.1:6379", "attempts": 1, "bytesSent": 512, "bytesReceived": 64}]}
//
// api/config is a Dump: all that this process goes by. Its rules are as files would
// hold them.
//
//	{"at": "…", "version": { as of api/version }, "settings": {"service": "productpage", "outboundPolicy": "ALLOW_ANY", …},
//	 "rulesVersion": "9f86d081884c", "rules": [{"apiVersion": "…", "kind": "…", "metadata": {"name": "reviews", …}, "spec": {…}}],
//	 "certificates": { as of api/certificates }, "destinations": [ as of api/destinations ]}
//
// api/tap is a stream of server-sent events: a request each as it ends, with a
// TapEvent (of package mesh) for data. Its parameters, none of which is needed, are
// direction (outbound, inbound), service (part of its name), method, path (what it
// begins with), status (the lowest) and failed (true: only those without an answer
// or with a 5xx or a gRPC status other than OK). Between come hello, beat every 10 s without a request, and bye when
// the Mesh is closed: a TapStatus each. At most 16 can listen at once (503).
//
//	event: hello
//	data: {"dropped":0}
//
//	event: request
//	data: {"direction":"outbound","start":"…","durationMilliseconds":1.5,"method":"GET","host":"reviews","path":"/reviews/7",
//	  "query":"token=***","status":200,"grpcStatus":0,"flags":"-","headers":{"Cookie":["***"]},"service":"reviews.default.svc.cluster.local",
//	  "rule":"default/reviews","route":"for-all","subset":"v1","endpoint":"127.0.0.1:9080","attempts":1}
//
// api/version is a Version: which program this is.
//
//	{"instance": { as of api/topology }, "started": "…", "go": "go1.26.0", "program": "…", "inmesh": "v1.2.3"}
//
// # One graph of all
//
// Asked for fleet=1, the handler asks the handlers of the other instances: of its own
// service, of those that Config.Fleet names, of all that the graph shows, and of those
// that their graphs show. It asks discovery where they live, and finds their pages by
// the endpoints' label PortLabel or at Config.Fleet.Port. It waits 3 s for each and 9 s
// for all, or as Config.Fleet.Timeout says, for 16 at once, and keeps the answer for a
// second. Those who have not answered are named.
//
// On one machine that works as it is. Between machines each instance has to let the
// others in: serve the handler behind Mesh.Handler, on a listener of Mesh.Listen, with
// AllowPeers for Config.Allow, and ask with a Config.Fleet.Client that has a
// certificate, by a tls.Config of package tlsid, and the Scheme https. The own
// identity is one to let in: instances of one service ask each other.
//
// An instance is believed what it says of its traffic, and nothing else: it leads
// nobody elsewhere, by redirects, addresses or whole host names, and what cannot be
// merged is trouble of its own.
//
// # Defaults
//
//  1. Callers on this machine, and nobody else.
//  2. Rates are those of the last 10 s.
//  3. At most 16 listen to the tap, for each of whom 1024 requests wait; what comes
//     beyond is counted, and dropped.
//  4. The oldest 1000 requests under way are listed, and 64 headers of a request.
//
// # Cost
//
// A request costs nothing for what is shown but its place among those under way, which
// takes no allocation, and the look whether anybody taps.
//
// # What is hidden
//
// Keys, bodies and secrets: values of headers, parameters, labels and annotations
// that are called like a secret (Authorization, Cookie, token, password, key and
// such), whatever looks like credentials, a JSON Web Token or a private key, in rules
// and what is told of them, too. "***" stands in their place. What is a secret but
// neither called nor looking like one is shown: a path with a secret in it, for
// example. So is what a caller asks api/explain about, to that caller.
//
// # Concurrency
//
// The handler is safe for concurrent use.
package admin
