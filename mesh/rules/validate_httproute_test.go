package rules_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestActionsOfARoute(t *testing.T) {
	const missing = `warning spec.http[0].delegate: the route is dropped`
	verify(t, httpRoute, []row{
		{`name: x`, `invalid spec.http[0]: no action`},
		{`route: []`, `invalid spec.http[0]: no action`},
		{`redirect: {uri: /x}`, ``},
		{`directResponse: {status: 200}`, ``},
		{`delegate: {name: x}`, missing},
		{`delegate: {name: ""}`, missing},
		{`redirect: {uri: /x}, route: [{destination: {host: a}}]`, `invalid spec.http[0].route: stands beside redirect`},
		{`redirect: {uri: /x}, fault: {delay: {fixedDelay: 1s, percentage: {value: 1}}}`, `invalid spec.http[0].fault: stands beside redirect`},
		{`redirect: {uri: /x}, rewrite: {uri: /y}`, `invalid spec.http[0].rewrite: stands beside redirect`},
		{`redirect: {uri: /x}, directResponse: {status: 200}`, `invalid spec.http[0].directResponse: stands beside redirect`},
		{`redirect: {uri: /x}, mirror: {host: b}`, `warning spec.http[0].mirror: has no effect beside redirect`},
		{`redirect: {uri: /x}, timeout: 1s`, `warning spec.http[0].timeout: has no effect beside redirect`},
		{`directResponse: {status: 200}, retries: {attempts: 1}`, `warning spec.http[0].retries: has no effect beside directResponse`},
		{`redirect: {uri: /x}, corsPolicy: {allowMethods: [GET]}`, `warning spec.http[0].corsPolicy: has no effect: Mesh.Handler adds no CORS headers`},
		{`directResponse: {status: 200}, route: [{destination: {host: a}}]`, `invalid spec.http[0].route: stands beside directResponse`},
		{`directResponse: {status: 200}, fault: {abort: {httpStatus: 500, percentage: {value: 1}}}`, `invalid spec.http[0].fault: stands beside directResponse`},
		{`directResponse: {status: 200}, rewrite: {uri: /y}`, `invalid spec.http[0].rewrite: stands beside directResponse`},
		{`directResponse: {status: 200}, mirrors: [{destination: {host: b}}]`, `warning spec.http[0].mirrors: has no effect beside directResponse`},
		{`delegate: {name: x}, route: [{destination: {host: a}}]`, "invalid spec.http[0].route: beside delegate\n" + missing},
		{`delegate: {name: x}, redirect: {uri: /x}`, "invalid spec.http[0].redirect: beside delegate\n" + missing},
		{`delegate: {name: x}, directResponse: {status: 200}`, "warning spec.http[0].directResponse: takes the place\n" + missing},
		{`delegate: {name: x}, timeout: 1s`, missing},
	})
}

func TestDestinations(t *testing.T) {
	wrap := func(d string) string { return httpRoute("route: [{destination: {" + d + "}}]") }
	verify(t, wrap, []row{
		{`host: a`, ``},
		{`host: a.b.svc.cluster.local, port: {number: 80}`, ``},
		{`host: "*.foo.com"`, ``},
		{`host: "*"`, `invalid spec.http[0].route[0].destination.host: "*": want the name of one service`},
		{`host: 1.2.3.4`, `invalid spec.http[0].route[0].destination.host: the last label "4" is a number`},
		{`host: ""`, `invalid spec.http[0].route[0].destination.host: empty`},
		{``, `invalid spec.http[0].route[0].destination.host: empty`},
		{`host: a_b`, `invalid spec.http[0].route[0].destination.host: bad label`},
		{`host: a, subset: v1`, `warning spec.http[0].route[0].destination.subset: subset v1 means label version: v1`},
		{`host: a, subset: v_1`, "invalid spec.http[0].route[0].destination.subset: \"v_1\": want 1 to 63\nwarning spec.http[0].route[0].destination.subset: means label"},
		{`host: a, port: {number: 0}`, `invalid spec.http[0].route[0].destination.port.number: 0: want 1 to 65535`},
		{`host: a, port: {}`, `invalid spec.http[0].route[0].destination.port.number: 0: want 1 to 65535`},
		{`host: a, port: {number: 65535}`, ``},
		{`host: a, port: {number: 65536}`, `invalid spec.http[0].route[0].destination.port.number: 65536: want 1 to 65535`},
	})
	verify(t, httpRoute, []row{
		{`route: [{destination: {host: a}, weight: 50}, {destination: {host: b}}]`, `warning spec.http[0].route[1]: gets no requests: it has no weight, and others have one`},
		{`route: [{destination: {host: a}, weight: 50}, {destination: {host: b}, weight: 0}]`, ``},
		{`route: [{weight: 1}]`, `invalid spec.http[0].route[0].destination: missing`},
		{`route: [null]`, `invalid spec.http[0].route[0]: null`},
	})
}

func TestWeights(t *testing.T) {
	wrap := func(weights string) string {
		var route []string
		for _, w := range strings.Fields(weights) {
			route = append(route, "{destination: {host: a}, weight: "+w+"}")
		}
		return httpRoute("route: [" + strings.Join(route, ", ") + "]")
	}
	verify(t, wrap, []row{
		{`0`, ``},
		{`90 10`, ``},
		{`60 60`, ``},
		{`1 0`, ``},
		{`0 0`, `invalid spec.http[0].route: the weights of 2 destinations add up to 0`},
		{`-1`, `invalid spec.http[0].route[0].weight: -1: want 0 or more`},
		{`-1 2`, `invalid spec.http[0].route[0].weight: -1: want 0 or more`},
		{`2147483646 1`, ``},
		{`2147483647 1`, `refused spec.http[0].route: the weights add up to 2147483648: want at most 2147483647`},
		{`2147483648`, `invalid spec.http[0].route[0].weight: 2147483648`},
	})
}

func TestHeaderOperations(t *testing.T) {
	verify(t, func(h string) string { return forward("headers: {" + h + "}") }, []row{
		{`request: {set: {a: b}, add: {c: d}, remove: [e]}, response: {set: {a: b}, add: {c: d}, remove: [e]}`, ``},
		{`request: {set: {"a b": c}}`, `refused spec.http[0].headers.request.set[a b]: "a b": not the name of a header`},
		{`request: {set: {"": c}}`, `invalid spec.http[0].headers.request.set[]: empty: want the name`},
		{`request: {set: {":path": c}}`, `invalid spec.http[0].headers.request.set[:path]: ":path": a pseudo header`},
		{`request: {set: {":authority": c}}`, ``},
		{`request: {set: {Host: c}}`, ``},
		{`request: {add: {host: c}}`, ``},
		{`request: {remove: [host]}`, `invalid spec.http[0].headers.request.remove[0]: "host": the host cannot be changed`},
		{`request: {remove: [":authority"]}`, `invalid spec.http[0].headers.request.remove[0]: a pseudo header`},
		{`request: {remove: [""]}`, `invalid spec.http[0].headers.request.remove[0]: empty`},
		{`response: {set: {host: c}}`, `invalid spec.http[0].headers.response.set[host]: the host cannot be changed`},
		{`response: {add: {":status": c}}`, `invalid spec.http[0].headers.response.add[:status]: a pseudo header`},
		{`response: {remove: [":status"]}`, `invalid spec.http[0].headers.response.remove[0]: a pseudo header`},
		{`request: {set: {a: ""}}`, `warning spec.http[0].headers.request.set[a]: an empty value neither sets nor clears`},
		{`request: {set: {host: b}, add: {":authority": c}}`, `invalid spec.http[0].headers.request.add[:authority]: "c": the host is rewritten to "b" already`},
		{`request: {set: {host: b, ":authority": c}}`, `invalid spec.http[0].headers.request.set[host]: "b": the host is rewritten to "c" already`},
	})
	verify(t, forward, []row{
		{`rewrite: {authority: b}, headers: {request: {set: {host: c}}}`, `invalid spec.http[0].headers.request.set[host]: rewritten to "b" already`},
	})
	verify(t, httpRoute, []row{
		{`route: [{destination: {host: a}, headers: {request: {set: {":path": c}}}}]`, `invalid spec.http[0].route[0].headers.request.set[:path]: pseudo`},
		{`rewrite: {authority: b}, route: [{destination: {host: a}, headers: {request: {set: {host: c}}}}]`, ``},
	})
}

func TestHeaderValues(t *testing.T) {
	const at = "spec.http[0].headers.request.set[a]"
	wrap := func(v string) string { return forward("headers: {request: {set: {a: " + v + "}}}") }
	verify(t, wrap, []row{
		{`"100%%"`, ``},
		{`"a\tb"`, ``},
		{`"%REQ(x-user)%"`, ``},
		{`"[%PROTOCOL%]"`, ``},
		{`"%%%PROTOCOL%"`, ``},
		{`"%START_TIME%"`, ``},
		{`"%START_TIME(%Y/%m/%dT%H:%M:%S%z)%"`, `refused ` + at + `: %START_TIME%: inmesh produces this value without arguments only`},
		{`"%REQ(:path)% %REQ(a?b)% %RESP(a)% %RESPONSE_CODE%"`, ``},
		{`"%REQ%"`, `refused ` + at + `: %REQ%: want the name of a header`},
		{`"%REQ(a?)%"`, `refused ` + at + `: %REQ%: want the name of a header`},
		{`"%DOWNSTREAM_REMOTE_ADDRESS%"`, ``},
		{`"%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"`, ``},
		{`"on %HOSTNAME% to %UPSTREAM_HOST%"`, ``},
		{`"%REQ(a)  %"`, ``},
		{`"%REQ( a )%"`, `refused ` + at + `: %REQ%: want the name of a header`},
		{`"%REQ(a\\)b)%"`, `refused ` + at + `: %REQ%: want the name of a header`},
		{`"%ENVIRONMENT(POD)%"`, `refused ` + at + `: %ENVIRONMENT%: inmesh cannot`},
		{`"%"`, `invalid ` + at + `: "%": unterminated %`},
		{`"abc%123"`, `invalid ` + at + `: unterminated %`},
		{`"%START_TIME%%"`, `invalid ` + at + `: unterminated %`},
		{`"%REQ(a"`, `invalid ` + at + `: unterminated ( of an operator`},
		{`"%REQ("`, `invalid ` + at + `: unterminated ( of an operator`},
		{`"%REQ(a):10%"`, `invalid ` + at + `: %REQ(…) has no % after it`},
		{`"%REQ(a)"`, `invalid ` + at + `: %REQ(…) has no % after it`},
		{`'%UPSTREAM_METADATA(["a", "b"])%'`, `refused ` + at + `: %UPSTREAM_METADATA%: inmesh cannot produce this value`},
		{`'%UPSTREAM_METADATA([a])%'`, `invalid ` + at + `: want a "`},
		{`'%UPSTREAM_METADATA(["a" "b"])%'`, `invalid ` + at + `: want ])`},
		{`'%UPSTREAM_METADATA(["a"%'`, `invalid ` + at + `: want ])`},
		{`'%UPSTREAM_METADATA(["a'`, `invalid ` + at + `: unterminated (`},
		{`"%NOBODY_KNOWS%"`, `refused ` + at + `: %NOBODY_KNOWS%: inmesh cannot produce`},
		{`"%NO% and %WAY%"`, "refused " + at + ": %NO%\nrefused " + at + ": %WAY%"},
		{`"%(a)%"`, `refused ` + at + `: %%`},
		{`"a\nb"`, `invalid ` + at + `: control character 0x0a`},
		{`"a\x00b"`, `invalid ` + at + `: control character 0x00`},
		{`"a\x7fb"`, `invalid ` + at + `: control character 0x7f`},
	})
}

func TestRewrites(t *testing.T) {
	verify(t, func(r string) string { return forward("rewrite: {" + r + "}") }, []row{
		{`uri: /x`, ``},
		{`authority: b`, ``},
		{`uri: /x, authority: b`, ``},
		{`uriRegexRewrite: {match: "^/a/(.*)", rewrite: '/b/\1'}`, ``},
		{``, `invalid spec.http[0].rewrite: empty`},
		{`uri: /x, uriRegexRewrite: {match: a, rewrite: b}`, `invalid spec.http[0].rewrite.uriRegexRewrite: stands beside uri`},
		{`uriRegexRewrite: {match: "", rewrite: b}`, `invalid spec.http[0].rewrite.uriRegexRewrite.match: empty`},
		{`uriRegexRewrite: {match: a}`, `invalid spec.http[0].rewrite.uriRegexRewrite.rewrite: empty`},
		{`uriRegexRewrite: {match: "(", rewrite: b}`, `invalid spec.http[0].rewrite.uriRegexRewrite.match: want RE2 syntax`},
		{`uriRegexRewrite: {match: ` + repeat(1025) + `, rewrite: b}`, `invalid spec.http[0].rewrite.uriRegexRewrite.match: 1025 bytes: want at most 1024`},
		{`uriRegexRewrite: {match: "(a)", rewrite: '\2'}`, `warning spec.http[0].rewrite.uriRegexRewrite.rewrite: \2 is written, and the expression has 1 groups`},
		{`uriRegexRewrite: {match: a, rewrite: '\\1'}`, ``},
	})
}

func TestRedirects(t *testing.T) {
	verify(t, func(r string) string { return httpRoute("redirect: {" + r + "}") }, []row{
		{`uri: /x`, ``},
		{`authority: b`, ``},
		{`scheme: https`, ``},
		{`scheme: http`, ``},
		{`port: 8080`, ``},
		{`port: 0`, ``},
		{`port: 65536`, `invalid spec.http[0].redirect.port: 65536: want 0 to 65535`},
		{`derivePort: FROM_PROTOCOL_DEFAULT`, ``},
		{`derivePort: FROM_REQUEST_PORT`, ``},
		{`port: 80, derivePort: FROM_REQUEST_PORT`, `invalid spec.http[0].redirect.derivePort: only one of`},
		{`prefixRewrite: /x`, ``},
		{`prefixRewrite: /x, uri: /y`, `invalid spec.http[0].redirect.prefixRewrite: stands beside uri`},
		{`scheme: ftp`, `invalid spec.http[0].redirect.scheme: "ftp": want http or https`},
		{``, `invalid spec.http[0].redirect: empty`},
		{`redirectCode: 302`, `invalid spec.http[0].redirect: empty`},
		{`uri: /x, redirectCode: 301`, ``},
		{`uri: /x, redirectCode: 302`, ``},
		{`uri: /x, redirectCode: 303`, ``},
		{`uri: /x, redirectCode: 307`, ``},
		{`uri: /x, redirectCode: 308`, ``},
		{`uri: /x, redirectCode: 300`, `refused spec.http[0].redirect.redirectCode: 300 does not redirect`},
		{`uri: /x, redirectCode: 304`, `refused spec.http[0].redirect.redirectCode: 304 does not redirect: want 301, 302, 303, 307 or 308`},
		{`uri: /x, redirectCode: 399`, `refused spec.http[0].redirect.redirectCode: 399`},
		{`uri: /x, redirectCode: 299`, `invalid spec.http[0].redirect.redirectCode: 299: want`},
		{`uri: /x, redirectCode: 400`, `invalid spec.http[0].redirect.redirectCode: 400: want`},
	})
	verify(t, httpRoute, []row{
		{`match: [{uri: {prefix: /a}}], redirect: {prefixRewrite: /b}`, ``},
		{`match: [{method: {exact: GET}}], redirect: {prefixRewrite: /b}`, ``},
		{`match: [{uri: {prefix: /a}}, {uri: {exact: /b}}], redirect: {prefixRewrite: /b}`, `invalid spec.http[0].match[1].uri: want uri.prefix`},
	})
}

func TestDirectResponses(t *testing.T) {
	body := func(n int) string { return fmt.Sprintf("status: 200, body: {string: %s}", repeat(n)) }
	verify(t, func(r string) string { return httpRoute("directResponse: {" + r + "}") }, []row{
		{`status: 200`, ``},
		{`status: 599, body: {string: sorry}`, ``},
		{`status: 503, body: {bytes: c29ycnk=}`, ``},
		{`status: 503, body: {}`, ``},
		{`status: 503, body: {string: a, bytes: c29ycnk=}`, `invalid spec.http[0].directResponse.body.bytes: only one of`},
		{`status: 600`, `refused spec.http[0].directResponse.status: 600 is no status`},
		{`status: 601`, `invalid spec.http[0].directResponse.status: 601: want 200 to 599`},
		{`status: 199`, `invalid spec.http[0].directResponse.status: 199: want 200 to 599`},
		{``, `invalid spec.http[0].directResponse.status: 0: want 200 to 599`},
		{body(100 << 10), ``},
		{body(100<<10 + 1), `warning spec.http[0].directResponse.body: 102401 bytes`},
		{body(1<<20 + 1), `invalid spec.http[0].directResponse.body: 1048577 bytes: want at most 1048576`},
	})
}

func TestTimeouts(t *testing.T) {
	verify(t, func(d string) string { return forward("timeout: " + d) }, []row{
		{`1ms`, ``},
		{`1h2m3.5s`, ``},
		{`100ms`, ``},
		{`1000000h`, ``},
		{`0s`, `invalid spec.http[0].timeout: 0s: want 1ms or more; to switch it off, leave the field out`},
		{`999us`, `invalid spec.http[0].timeout: 999µs: want 1ms or more`},
		{`1500us`, `invalid spec.http[0].timeout: 1.5ms: want whole milliseconds`},
		{`-1s`, `invalid spec.http[0].timeout: -1s: want 1ms or more`},
		{`1d`, `invalid spec.http[0].timeout: 1d`},
		{`""`, `invalid spec.http[0].timeout: bad duration`},
		{`"5"`, `invalid spec.http[0].timeout: 5`},
	})
}

func TestRetries(t *testing.T) {
	wrap := func(r string) string { return forward("retries: {" + r + "}") }
	verify(t, wrap, []row{
		{``, ``},
		{`attempts: 3`, ``},
		{`attempts: 0`, ``},
		{`attempts: 3, perTryTimeout: 2s, retryOn: "5xx,reset", backoff: 10ms, retryRemoteLocalities: true, retryIgnorePreviousHosts: false`, ``},
		{`attempts: 0, backoff: 10ms`, ``},
		{`attempts: 0, retryIgnorePreviousHosts: true`, ``},
		{`attempts: -1`, `invalid spec.http[0].retries.attempts: -1: want 0 or more`},
		{`attempts: 0, perTryTimeout: 1s`, `invalid spec.http[0].retries.perTryTimeout: beside attempts 0`},
		{`retryOn: 5xx`, `invalid spec.http[0].retries.retryOn: beside attempts 0`},
		{`retryRemoteLocalities: true`, `invalid spec.http[0].retries.retryRemoteLocalities: beside attempts 0`},
		{`attempts: 1, perTryTimeout: 0s`, `invalid spec.http[0].retries.perTryTimeout: 0s`},
		{`attempts: 1, backoff: 0s`, `invalid spec.http[0].retries.backoff: 0s`},
	})
	verify(t, func(on string) string { return wrap("attempts: 1, retryOn: " + on) }, []row{
		{`""`, ``},
		{`"5xx,gateway-error,reset,reset-before-request,connect-failure,retriable-4xx,refused-stream,retriable-status-codes,envoy-ratelimited"`, ``},
		{`"cancelled,deadline-exceeded,internal,resource-exhausted,unavailable"`, ``},
		{`"503,reset"`, ``},
		{`"418"`, ``},
		{`"299"`, `invalid spec.http[0].retries.retryOn: "299": want a known condition`},
		{`"5xx, reset"`, `invalid spec.http[0].retries.retryOn: " reset"`},
		{`"5xx,"`, `invalid spec.http[0].retries.retryOn: "": want`},
		{`"5XX"`, `invalid spec.http[0].retries.retryOn: "5XX"`},
		{`"often,rarely"`, "invalid spec.http[0].retries.retryOn: \"often\"\ninvalid spec.http[0].retries.retryOn: \"rarely\""},
		{`retriable-headers`, `warning spec.http[0].retries.retryOn: retriable-headers has no effect`},
		{`http3-post-connect-failure`, `warning spec.http[0].retries.retryOn: http3-post-connect-failure has no effect`},
	})
	verify(t, forward, []row{
		{`timeout: 1s, retries: {attempts: 1, perTryTimeout: 1s}`, `warning spec.http[0].retries.perTryTimeout: 1s has no effect: timeout ends all tries after 1s`},
		{`timeout: 2s, retries: {attempts: 1, perTryTimeout: 1s}`, ``},
	})
}

func TestFaults(t *testing.T) {
	const abort, delay = "spec.http[0].fault.abort", "spec.http[0].fault.delay"
	verify(t, func(f string) string { return forward("fault: {" + f + "}") }, []row{
		{``, `invalid spec.http[0].fault: empty`},
		{`delay: {fixedDelay: 5s, percentage: {value: 0.1}}`, ``},
		{`delay: {fixedDelay: 5s, percentage: {}}`, ``},
		{`delay: {fixedDelay: 5s}`, `warning ` + delay + `: never happens`},
		{`delay: {fixedDelay: 0s, percentage: {value: 1}}`, `invalid ` + delay + `.fixedDelay: 0s`},
		{`delay: {exponentialDelay: 5s}`, "invalid " + delay + ".exponentialDelay: does not implement it\nwarning " + delay + ": never"},
		{`delay: {percentage: {value: 1}}`, `warning ` + delay + `: no fixedDelay`},
		{`delay: {}`, `warning ` + delay + `: no fixedDelay`},
		{`delay: {fixedDelay: 5s, percent: 10}`, `warning ` + delay + `.percent: deprecated: use percentage`},
		{`delay: {fixedDelay: 5s, percent: 200}`, `warning ` + delay + `.percent: deprecated: use percentage`},
		{`abort: {httpStatus: 500, percentage: {value: 100}}`, ``},
		{`abort: {httpStatus: 500}`, `warning ` + abort + `: never happens`},
		{`abort: {httpStatus: 199, percentage: {value: 1}}`, `invalid ` + abort + `.httpStatus: 199: want 200 to 599`},
		{`abort: {httpStatus: -1, percentage: {value: 1}}`, `invalid ` + abort + `.httpStatus: -1`},
		{`abort: {httpStatus: 600, percentage: {value: 1}}`, `refused ` + abort + `.httpStatus: 600 is no status`},
		{`abort: {httpStatus: 601, percentage: {value: 1}}`, `invalid ` + abort + `.httpStatus: 601`},
		{`abort: {grpcStatus: UNAVAILABLE, percentage: {value: 1}}`, ``},
		{`abort: {grpcStatus: OK, percentage: {value: 1}}`, ``},
		{`abort: {grpcStatus: unavailable, percentage: {value: 1}}`, `invalid ` + abort + `.grpcStatus: "unavailable"`},
		{`abort: {grpcStatus: "14", percentage: {value: 1}}`, `invalid ` + abort + `.grpcStatus: "14"`},
		{`abort: {http2Error: x, percentage: {value: 1}}`, `invalid ` + abort + `.http2Error: does not implement it`},
		{`abort: {percentage: {value: 1}}`, `warning ` + abort + `: neither httpStatus nor grpcStatus`},
		{`abort: {httpStatus: 500, grpcStatus: OK}`, `invalid ` + abort + `.grpcStatus: only one of`},
	})
	verify(t, func(p string) string {
		return forward("fault: {abort: {httpStatus: 500, percentage: {value: " + p + "}}}")
	}, []row{
		{`0`, ``},
		{`0.0001`, ``},
		{`100`, ``},
		{`0.00001`, `invalid ` + abort + `.percentage: 0.00001: want 0 or 0.0001 to 100`},
		{`100.1`, `invalid ` + abort + `.percentage: 100.1: want 0 or 0.0001 to 100`},
		{`-1`, `invalid ` + abort + `.percentage: -1: want`},
	})
}

func TestMirrors(t *testing.T) {
	verify(t, forward, []row{
		{`mirror: {host: b}`, ``},
		{`mirror: {host: b}, mirrorPercentage: {value: 50}`, ``},
		{`mirror: {host: b}, mirrorPercentage: {value: 0}`, ``},
		{`mirror: {host: b}, mirrorPercentage: {value: 0.00001}`, ``},
		{`mirror: {host: b}, mirrorPercentage: {value: 100.5}`, `invalid spec.http[0].mirrorPercentage: 100.5: want 0 to 100`},
		{`mirror: {host: b}, mirrorPercentage: {value: -1}`, `invalid spec.http[0].mirrorPercentage: -1: want 0 to 100`},
		{`mirror: {host: b}, mirrorPercent: 50`, `warning spec.http[0].mirrorPercent: deprecated: use mirrorPercentage`},
		{`mirror: {host: b}, mirror_percent: 101`, "invalid spec.http[0].mirrorPercent: 101: want 0 to 100\nwarning spec.http[0].mirrorPercent: deprecated"},
		{`mirrorPercentage: {value: 50}`, `warning spec.http[0].mirrorPercentage: has no effect without mirror`},
		{`mirror: {host: "*"}`, `invalid spec.http[0].mirror.host: "*"`},
		{`mirror: {host: b, port: {number: 0}}`, `invalid spec.http[0].mirror.port.number: 0`},
		{`mirrors: [{destination: {host: b}}, {destination: {host: c}, percentage: {value: 1}}]`, ``},
		{`mirrors: [{percentage: {value: 1}}]`, `invalid spec.http[0].mirrors[0].destination: missing`},
		{`mirrors: [{destination: {host: b}, percentage: {value: 101}}]`, `invalid spec.http[0].mirrors[0].percentage: 101: want 0 to 100`},
		{`mirrors: [{destination: {host: 1.2.3.4}}]`, `invalid spec.http[0].mirrors[0].destination.host: number`},
		{`mirror: {host: b}, mirrors: [{destination: {host: c}}]`, `invalid spec.http[0].mirrors: 1 entries beside mirror`},
	})
}

func TestCORS(t *testing.T) {
	const later = "\nwarning spec.http[0].corsPolicy: answers no preflight"
	verify(t, func(p string) string { return forward("corsPolicy: {" + p + "}") }, []row{
		{`allowOrigins: [{exact: "https://a.com"}, {prefix: "https://"}, {regex: ".*"}]`, later},
		{`allowOrigin: ["*"]`, later},
		{`allowOrigins: [{}]`, `invalid spec.http[0].corsPolicy.allowOrigins[0]: empty` + later},
		{`allowOrigins: [{exact: ""}]`, `invalid spec.http[0].corsPolicy.allowOrigins[0]: empty` + later},
		{`allowOrigins: [{regex: "("}]`, `invalid spec.http[0].corsPolicy.allowOrigins[0].regex: RE2` + later},
		{`allowMethods: [GET, "*"]`, later},
		{`allowMethods: [get]`, `invalid spec.http[0].corsPolicy.allowMethods[0]: "get": want one of GET` + later},
		{`allowHeaders: [x-a, "*"], exposeHeaders: [x-b]`, later},
		{`allowHeaders: ["a b"]`, `invalid spec.http[0].corsPolicy.allowHeaders[0]: "a b"` + later},
		{`exposeHeaders: [""]`, `invalid spec.http[0].corsPolicy.exposeHeaders[0]: ""` + later},
		{`maxAge: 24h`, later},
		{`maxAge: 1.5s`, `invalid spec.http[0].corsPolicy.maxAge: 1.5s: want whole seconds` + later},
		{`maxAge: 0s`, `invalid spec.http[0].corsPolicy.maxAge: 0s` + later},
		{`unmatchedPreflights: IGNORE, allowCredentials: true`, later},
		{`unmatchedPreflights: MAYBE`, `invalid spec.http[0].corsPolicy.unmatchedPreflights: MAYBE`},
	})
}
