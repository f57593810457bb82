package plan_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

func TestRedirectsNameTheirTarget(t *testing.T) {
	for _, c := range []struct{ name, redirect, url, want string }{
		{"uri", "uri: /x", "http://a.com/old", "http://a.com/x"},
		{"the query is kept", "uri: /x", "http://a.com/old?q=1", "http://a.com/x?q=1"},
		{"unless the uri brings its own", "uri: '/x?r=2'", "http://a.com/old?q=1", "http://a.com/x?r=2"},
		{"prefixRewrite", "prefixRewrite: /new", "http://a.com/old/1?q", "http://a.com/new/1?q"},
		{"authority", "authority: b.com", "http://a.com/old", "http://b.com/old"},
		{"the port goes with the host", "authority: b.com", "http://a.com:81/old", "http://b.com/old"},
		{"the port stays with the host", "uri: /x", "http://a.com:81/old", "http://a.com:81/x"},
		{"port", "port: 81", "http://a.com/old", "http://a.com:81/old"},
		{"port replaces the one written", "port: 81", "http://a.com:82/old", "http://a.com:81/old"},
		{"80 is left out for http", "port: 80", "http://a.com:82/old", "http://a.com/old"},
		{"443 is left out for https", "port: 443, scheme: https", "http://a.com:82/old", "https://a.com/old"},
		{"80 stands for https", "port: 80", "https://a.com/old", "https://a.com:80/old"},
		{"port 0 is none", "port: 0, uri: /x", "http://a.com/old", "http://a.com/x"},
		{"derived from the request", "derivePort: FROM_REQUEST_PORT, authority: b.com", "http://a.com:81/old", "http://b.com:81/old"},
		{"derived and default", "derivePort: FROM_REQUEST_PORT, authority: b.com", "http://a.com/old", "http://b.com/old"},
		{"derived from the protocol", "derivePort: FROM_PROTOCOL_DEFAULT, authority: b.com", "http://a.com:81/old", "http://b.com/old"},
		{"scheme", "scheme: https", "http://a.com/old", "https://a.com/old"},
		{"a changed scheme drops the old default port", "scheme: https", "http://a.com:80/old", "https://a.com/old"},
		{"and back", "scheme: http", "https://a.com:443/old", "http://a.com/old"},
		{"but no other port", "scheme: https", "http://a.com:8080/old", "https://a.com:8080/old"},
		{"the same scheme keeps the port", "scheme: http", "http://a.com:8080/old", "http://a.com:8080/old"},
		{"an escaped path stays so", "authority: b.com", "http://a.com/old%2F1", "http://b.com/old%2F1"},
		{"everything", "prefixRewrite: /new, authority: b.com, port: 81, scheme: https", "http://a.com:82/old/1?q=1", "https://b.com:81/new/1?q=1"},
	} {
		p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{match: [{uri: {prefix: /old}}], redirect: {"+c.redirect+"}}]"))
		r := get(c.url)
		target := p.Lookup(r.Authority)
		if got := target.Match(r, target.Port).Location(r, target.PortOf(r, target.Port)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestRedirectOfAnIPv6Host(t *testing.T) {
	p := compile(t, virtualService("v", "hosts: [\"fd00::1\"]\nhttp: [{redirect: {scheme: https}}]"))
	r := get("http://[fd00::1]:8080/a")
	if got, want := routeOf(t, p, r).Location(r, 8080), "https://[fd00::1]:8080/a"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestRedirectWithoutAMatchRewritesTheSlash(t *testing.T) {
	p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{redirect: {prefixRewrite: /x}}]"))
	r := get("http://a.com/foo")
	if got := routeOf(t, p, r).Location(r, 80); got != "http://a.com/xfoo" {
		t.Error(got)
	}
}

func TestRedirectCodes(t *testing.T) {
	for written, want := range map[string]int{"": 301, "redirectCode: 301, ": 301, "redirectCode: 302, ": 302, "redirectCode: 303, ": 303, "redirectCode: 307, ": 307, "redirectCode: 308, ": 308} {
		p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{redirect: {"+written+"uri: /x}}]"))
		if got := route(t, p, "http://a.com/").Redirect.Status; got != want {
			t.Errorf("{%s}: %d, want %d", written, got, want)
		}
	}
}

func TestDirectResponses(t *testing.T) {
	for _, c := range []struct{ spec, want string }{
		{"status: 204", `204 ""`},
		{"status: 503, body: {string: down}", `503 "down"`},
		{"status: 200, body: {bytes: ZG93bg==}", `200 "down"`},
	} {
		p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{directResponse: {"+c.spec+"}}]"))
		r := route(t, p, "http://a.com/")
		if got := fmt.Sprintf("%d %q", r.Direct.Status, r.Direct.Body); got != c.want || len(r.Destinations) > 0 {
			t.Errorf("{%s}: %s with %d destinations, want %s", c.spec, got, len(r.Destinations), c.want)
		}
	}
}

func TestHeadersOfTheResponseAreWrittenToAnswersOfRulesToo(t *testing.T) {
	for _, action := range []string{"directResponse: {status: 200}", "redirect: {uri: /x}"} {
		p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{headers: {response: {set: {x: \"%REQ(:path)%\"}}, request: {set: {y-y: b}}}, "+action+"}]"))
		r := route(t, p, "http://a.com/p")
		h := map[string][]string{}
		var ops plan.HeaderOps
		if r.Direct != nil {
			ops = r.Direct.Headers
		} else {
			ops = r.Redirect.Headers
		}
		ops.ApplyToResponse(h, plan.Values{Request: get("http://a.com/p")})
		if len(h) != 1 || first(h["X"]) != "/p" {
			t.Errorf("%s: %v", action, h)
		}
	}
}

// fault describes the fault of a rule: delay, its share in a million, then status
// or code of the abort, and its share.
func fault(t *testing.T, spec string) string {
	t.Helper()
	p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{fault: {"+spec+"}, route: [{destination: {host: b.com}}]}]"))
	f := route(t, p, "http://a.com/").Fault
	return fmt.Sprintf("%v %d, %d %d %d", f.Delay, f.DelayFraction, f.AbortStatus, f.AbortGRPC, f.AbortFraction)
}

func TestFaults(t *testing.T) {
	for spec, want := range map[string]string{
		"delay: {fixedDelay: 2s, percentage: {value: 100}}":                         "2s 1000000, 0 -1 0",
		"delay: {fixedDelay: 2s, percentage: {value: 0.1}}":                         "2s 1000, 0 -1 0",
		"delay: {fixedDelay: 2s, percentage: {value: 0.00019}}":                     "2s 1, 0 -1 0", // truncated
		"delay: {fixedDelay: 2s}":                                                   "2s 0, 0 -1 0", // never
		"delay: {fixedDelay: 2s, percent: 5}":                                       "2s 50000, 0 -1 0",
		"delay: {fixedDelay: 2s, percent: 5, percentage: {value: 0}}":               "2s 0, 0 -1 0", // only where percentage is absent
		"delay: {percentage: {value: 100}}":                                         "0s 0, 0 -1 0", // without a type
		"abort: {httpStatus: 503, percentage: {value: 50}}":                         "0s 0, 503 -1 500000",
		"abort: {httpStatus: 503}":                                                  "0s 0, 503 -1 0", // never
		"abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}":                "0s 0, 0 14 1000000",
		"abort: {grpcStatus: OK, percentage: {value: 100}}":                         "0s 0, 0 0 1000000",
		"abort: {percentage: {value: 100}}":                                         "0s 0, 0 -1 0", // without a type
		"delay: {fixedDelay: 1s}, abort: {httpStatus: 418, percentage: {value: 1}}": "1s 0, 418 -1 10000",
	} {
		if got := fault(t, spec); got != want {
			t.Errorf("{%s}: %s, want %s", spec, got, want)
		}
	}
}

func TestAPercentOutsideItsRangeIsAlwaysOrNever(t *testing.T) {
	for percent, want := range map[string]bool{"200": true, "2147483647": true, "-1": false} {
		p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{fault: {delay: {fixedDelay: 1s, percent: "+percent+"}}, route: [{destination: {host: b.com}}]}]"))
		f := route(t, p, "http://a.com/").Fault.DelayFraction
		if got := f.Hit(math.MaxUint32); got != want {
			t.Errorf("percent %s: %v, want %v", percent, got, want)
		}
	}
}

func TestAllGRPCCodesHaveTheirNumber(t *testing.T) {
	for code, name := range []string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
		"RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"} {
		if got, want := fault(t, "abort: {grpcStatus: "+name+"}"), fmt.Sprintf("0s 0, 0 %d 0", code); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestFractionsHitAsOftenAsTheySay(t *testing.T) {
	for _, f := range []plan.Fraction{0, 1, 250_000, 999_999, plan.Always} {
		hits := 0
		const n = 1 << 20
		for i := range uint64(n) {
			if f.Hit(uint32(i << 12)) {
				hits++
			}
		}
		if want := float64(f) / float64(plan.Always) * n; math.Abs(float64(hits)-want) > 1.1 {
			t.Errorf("%d in a million: %d of %d, want %.0f", f, hits, n, want)
		}
	}
	if !plan.Always.Hit(math.MaxUint32) || plan.Fraction(0).Hit(0) {
		t.Error("100 % must always hit, and 0 never")
	}
}

func TestTimeouts(t *testing.T) {
	for spec, want := range map[string]time.Duration{"": 0, "timeout: 1ms, ": time.Millisecond, "timeout: 1m30s, ": 90 * time.Second} {
		p := compile(t, virtualService("v", "hosts: [a.com]\nhttp: [{"+spec+"route: [{destination: {host: b.com}}]}]"))
		if got := route(t, p, "http://a.com/").Timeout; got != want {
			t.Errorf("{%s}: %v, want %v", spec, got, want)
		}
	}
}
