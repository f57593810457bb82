package mesh_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
)

// A regime is rules for the service "play".
type regime struct {
	name  string
	http  string // of its VirtualService; "" for none
	dr    string // trafficPolicy of its DestinationRule; "" for none
	local bool   // no request gets upstream
}

const everyRetry = `retries: {attempts: 2, retryOn: "5xx,reset,connect-failure,refused-stream", backoff: 1ms}`

var regimes = []regime{
	{name: "no rule"},
	{name: "plain", http: `[{route: [{destination: {host: play}}]}]`},
	{name: "retries", http: `[{route: [{destination: {host: play}}], ` + everyRetry + `}]`},
	{name: "timeouts", http: `[{route: [{destination: {host: play}}], timeout: 20s, retries: {attempts: 1, perTryTimeout: 10s, retryOn: "5xx,reset", backoff: 1ms}}]`},
	{name: "delay", http: `[{fault: {delay: {percentage: {value: 100}, fixedDelay: 2ms}}, route: [{destination: {host: play}}]}]`},
	{name: "mirror", http: `[{route: [{destination: {host: play}}], mirrors: [{destination: {host: shadow}}, {destination: {host: nowhere}}]}]`},
	{name: "headers", http: `[{route: [{destination: {host: play}, headers: {request: {set: {x-one: "2"}, add: {x-two: "3", cookie: "c=d"}}, response: {add: {x-new: "1"}}}}], rewrite: {authority: other.example}}]`},
	{name: "sticky", dr: `{loadBalancer: {consistentHash: {httpCookie: {name: user, ttl: 60s}}}}`},
	{name: "limits", dr: `{connectionPool: {tcp: {maxConnections: 2}, http: {http1MaxPendingRequests: 5, http2MaxRequests: 5, maxRequestsPerConnection: 1, maxRetries: 3}}, outlierDetection: {consecutive5xxErrors: 100000}}`},
	{name: "everything", http: `[{fault: {delay: {percentage: {value: 100}, fixedDelay: 1ms}}, timeout: 20s, ` + everyRetry + `, mirrors: [{destination: {host: shadow}}], headers: {request: {add: {x-two: "3"}}}, rewrite: {authority: other.example}, route: [{destination: {host: play, subset: v1}}]}]`,
		dr: `{connectionPool: {tcp: {maxConnections: 4}}}`},
	{name: "h2c", dr: `{connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}`, http: `[{route: [{destination: {host: play}}], timeout: 20s, ` + everyRetry + `}]`},
	{name: "abort", local: true, http: `[{fault: {abort: {percentage: {value: 100}, httpStatus: 418}}, route: [{destination: {host: play}}]}]`},
	{name: "redirect", local: true, http: `[{redirect: {uri: /elsewhere}}]`},
	{name: "direct", local: true, http: `[{directResponse: {status: 200, body: {string: hello}}}]`},
	{name: "no route", local: true, http: `[{match: [{uri: {exact: /never}}], route: [{destination: {host: play}}]}]`},
	{name: "no subset", local: true, http: `[{route: [{destination: {host: play, subset: v9}}]}]`},
	{name: "no endpoint", local: true, http: `[{route: [{destination: {host: nowhere}}]}]`},
}

func (r regime) documents() []string {
	var out []string
	if r.http != "" {
		out = append(out, fmt.Sprintf("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: play}\nspec: {hosts: [play], http: %s}\n", r.http))
	}
	if r.dr != "" {
		out = append(out, fmt.Sprintf("apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: play}\nspec: {host: play, trafficPolicy: %s}\n", r.dr))
	}
	return out
}

// An errand is a request and what the caller does.
type errand struct {
	name string
	make func(ctx context.Context, url string) *parcel
	path string
	// impatient ends the caller's context soon after it has sent the request.
	impatient bool
	early     bool // closes the answer unread
}

func sized(n int) func() io.Reader {
	return func() io.Reader { return onlyReader{bytes.NewReader(bytes.Repeat([]byte("x"), n))} }
}

func get(ctx context.Context, url string) *parcel { return newParcel(ctx, http.MethodGet, url) }

func post(body func(p *parcel) *parcel) func(context.Context, string) *parcel {
	return func(ctx context.Context, url string) *parcel { return body(newParcel(ctx, http.MethodPost, url)) }
}

var (
	postKnown   = post(func(p *parcel) *parcel { return p.withCopies(3000, sized(3000)) })
	postUnknown = post(func(p *parcel) *parcel { return p.with(sized(3000)()) })
	postLong    = post(func(p *parcel) *parcel { return p.with(sized(300_000)()) })
	postTrailer = post(func(p *parcel) *parcel {
		p.Trailer = http.Header{"X-Sent": nil}
		return p.with(&trailing{sized(3000)(), func() { p.Trailer.Set("X-Sent", "all") }})
	})
	postExpect = post(func(p *parcel) *parcel {
		p.Header.Set("Expect", "100-continue")
		return p.withCopies(3000, sized(3000))
	})
	postFails = post(func(p *parcel) *parcel {
		return p.with(io.MultiReader(sized(3000)(), failing{}))
	})
)

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

var errands = []errand{
	{name: "GET", make: get, path: "/echo"},
	{name: "HEAD", make: func(ctx context.Context, url string) *parcel { return newParcel(ctx, http.MethodHead, url) }, path: "/echo"},
	{name: "GET of nothing", make: get, path: "/empty"},
	{name: "GET of much, closed early", make: get, path: "/big", early: true},
	{name: "GET of a stream, closed early", make: get, path: "/drip", early: true},
	{name: "GET cut off", make: get, path: "/cut"},
	{name: "GET reset", make: get, path: "/reset"},
	{name: "GET retried", make: get, path: "/flaky"},
	{name: "GET impatient", make: get, path: "/stall", impatient: true},
	{name: "GET of a stream, impatient", make: get, path: "/drip", impatient: true},
	{name: "POST of no body", make: post(func(p *parcel) *parcel { p.Body = http.NoBody; return p }), path: "/echo"},
	{name: "POST", make: postKnown, path: "/echo"},
	{name: "POST of unknown length", make: postUnknown, path: "/echo"},
	{name: "POST of unknown length, long", make: postLong, path: "/echo"},
	{name: "POST with trailers", make: postTrailer, path: "/echo"},
	{name: "POST retried", make: postKnown, path: "/flaky"},
	{name: "POST of unknown length, retried", make: postUnknown, path: "/flaky"},
	{name: "POST too long to be retried", make: postLong, path: "/broken"},
	{name: "POST refused early", make: postLong, path: "/early"},
	{name: "POST reset", make: postUnknown, path: "/reset"},
	{name: "POST impatient", make: postUnknown, path: "/stall", impatient: true},
	{name: "POST that expects 100", make: postExpect, path: "/echo"},
	{name: "POST that expects 100, refused", make: postExpect, path: "/early"},
	{name: "POST that expects 100, retried", make: postExpect, path: "/flaky"},
	{name: "POST whose body fails", make: postFails, path: "/echo"},
}

// Under every regime every errand keeps the contract of http.RoundTripper, over
// the mesh's own wires and over a base of the caller's.
func TestTheContractHoldsUnderEveryRule(t *testing.T) {
	for _, r := range regimes {
		for _, base := range []string{"own wires", "own base"} {
			t.Run(r.name+"/"+base, func(t *testing.T) {
				play, shadow := startStage(t), listen(t, http.NotFoundHandler())
				c := carry(t, services{"play": play.addresses(), "shadow": {shadow.Listener.Addr().String()}, "nowhere": nil},
					base == "own base", mesh.Config{}, r.documents()...)
				for i, e := range errands {
					t.Run(e.name, func(t *testing.T) { run(t, c, e, i) })
				}
				c.mustBeIdle(t)
			})
		}
	}
}

func run(t *testing.T, c *carrier, e errand, number int) { runAt(t, c, e, number, "http://play") }

func runAt(t *testing.T, c *carrier, e errand, number int, server string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p := e.make(ctx, server+e.path)
	p.Header["X-Id"] = []string{fmt.Sprint(number)}
	before := pictureOf(p.Request)
	stop := watch(p.Request)
	if e.impatient {
		timer := time.AfterFunc(20*time.Millisecond, cancel)
		defer timer.Stop()
	}
	resp, err := c.RoundTrip(p.Request)
	if (resp == nil) == (err == nil) {
		t.Errorf("answer %v and error %v: want exactly one", resp, err)
	}
	if resp != nil {
		consume(t, e, p, resp)
	}
	stop()
	before.mustStillHold(t, p.Request)
	p.mustBeClosed(t)
	c.mustBeIdle(t)
}

func consume(t *testing.T, e errand, p *parcel, resp *http.Response) {
	t.Helper()
	if resp.Request != p.Request {
		t.Error("Response.Request is not the caller's")
	}
	if resp.Body == nil || resp.Header == nil {
		t.Fatal("an answer without body or header")
	}
	if !e.early {
		got, err := io.ReadAll(resp.Body)
		if err == nil && p.Method != http.MethodHead && resp.ContentLength >= 0 && resp.ContentLength != int64(len(got)) {
			t.Errorf("ContentLength is %d, and %d bytes came", resp.ContentLength, len(got))
		}
		if strings.Contains(e.name, "trailers") && resp.Header.Get("X-Try") != "" && resp.Trailer.Get("X-Sum") != "3000 all" {
			t.Errorf("trailer %v", resp.Trailer)
		}
	}
	if err := resp.Body.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if n, err := resp.Body.Read(make([]byte, 1)); resp.Header.Get("X-Try") != "" && (n != 0 || err == nil) {
		t.Errorf("Read after Close: %d, %v", n, err)
	}
}
