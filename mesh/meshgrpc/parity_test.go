package meshgrpc_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// One table of what rules do, played over HTTP and over gRPC: a unary call is a
// POST to its method, and UNAVAILABLE is 503.

// headers have lower-case names.
type headers map[string]string

// A request is as a server has seen it.
type request struct {
	version, path, authority string
	headers                  headers
}

// A reply is what a server is told to do.
type reply struct {
	unavailable bool
	after       time.Duration
}

// A result is what the caller gets.
type result struct {
	version string
	status  int   // 200, or what gRPC's code means in HTTP
	reason  error // of mesh.Error
	headers headers
	took    time.Duration
}

// A face is one way to call the service ratings.
type face interface {
	start(version string) (refuse func())
	client(cfg mesh.Config) func(headers) result
}

// A stage is a face and what its servers are told.
type stage struct {
	face
	mu    sync.Mutex
	seen  []request
	reply func(request) reply
}

// serve is every server's handler.
func (s *stage) serve(ctx context.Context, r request) bool {
	s.mu.Lock()
	s.seen = append(s.seen, r)
	do := s.reply
	s.mu.Unlock()
	if do == nil {
		return true
	}
	rep := do(r)
	select {
	case <-time.After(rep.after):
	case <-ctx.Done():
	}
	return !rep.unavailable
}

func (s *stage) requests() []request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.seen)
}

const method = "/grpc.testing.TestService/UnaryCall"

type httpFace struct {
	stage *stage
	fleet *meshtest.Fleet
}

func (f *httpFace) start(version string) func() {
	return f.fleet.Start("ratings", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := headers{}
		for name, values := range r.Header {
			got[strings.ToLower(name)] = strings.Join(values, ",")
		}
		_, _ = io.Copy(io.Discard, r.Body) // only then does net/http notice that a caller has gone
		w.Header().Set("X-Server", version)
		if !f.stage.serve(r.Context(), request{version, r.URL.Path, r.Host, got}) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, version)
	}), meshtest.Labels{"version": version}).Refuse
}

func (f *httpFace) client(cfg mesh.Config) func(headers) result {
	c := f.fleet.Client(cfg)
	return func(h headers) result {
		began := time.Now()
		req, err := http.NewRequest(http.MethodPost, "http://ratings"+method, strings.NewReader("x"))
		if err != nil {
			return result{reason: err}
		}
		for name, value := range h {
			req.Header.Set(name, value)
		}
		resp, err := c.Do(req)
		if err != nil {
			return refusedIn(err, time.Since(began))
		}
		defer resp.Body.Close()
		out := result{version: resp.Header.Get("X-Server"), status: resp.StatusCode, headers: headers{}, took: time.Since(began)}
		for name, values := range resp.Header {
			out.headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
		return out
	}
}

type grpcFace struct {
	stage *stage
	fleet *fleet
}

func (f *grpcFace) start(version string) func() {
	i := f.fleet.start("ratings", version)
	i.double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error {
		got := headers{}
		md, _ := metadata.FromIncomingContext(ctx)
		for name, values := range md {
			got[name] = strings.Join(values, ",")
		}
		path, _ := grpc.Method(ctx)
		served := f.stage.serve(ctx, request{version, path, got[":authority"], got})
		switch {
		case ctx.Err() != nil: // the server knows the deadline, too
			return status.FromContextError(ctx.Err()).Err()
		case !served:
			return status.Error(codes.Unavailable, "not now")
		}
		return grpc.SetHeader(ctx, metadata.Pairs("x-server", version))
	})
	return i.refuse
}

func (f *grpcFace) client(cfg mesh.Config) func(headers) result {
	c := f.fleet.clientOf(cfg, "ratings")
	return func(h headers) result {
		began := time.Now()
		ctx := metadata.NewOutgoingContext(context.Background(), metadata.New(h))
		var header metadata.MD
		_, err := c.UnaryCall(ctx, &testpb.SimpleRequest{}, grpc.Header(&header))
		var e *mesh.Error
		if errors.As(err, &e) {
			return refusedIn(err, time.Since(began))
		}
		out := result{status: map[codes.Code]int{codes.OK: 200, codes.Unavailable: 503, codes.NotFound: 404}[status.Code(err)], headers: headers{}, took: time.Since(began)}
		for name, values := range header {
			out.headers[name] = strings.Join(values, ",")
		}
		out.version = out.headers["x-server"]
		return out
	}
}

func refusedIn(err error, took time.Duration) result {
	var e *mesh.Error
	if !errors.As(err, &e) {
		return result{reason: err}
	}
	return result{reason: e.Reason, took: took}
}

func virtualService(http string) string {
	return "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: ratings}\nspec:\n  hosts: [ratings]\n  http:\n" + http
}

func destinationRule(spec string) string {
	return "\n---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: ratings}\nspec:\n  host: ratings\n" + spec
}

// A scenario is played with servers v1 and v2.
type scenario struct {
	name  string
	rules string
	reply func(request) reply
	check func(t *testing.T, s *stage, call func(headers) result)
}

func (r result) is(t *testing.T, version string) {
	t.Helper()
	if r.version != version || r.status != 200 || r.reason != nil {
		t.Errorf("got %+v, want an answer of %s", r, version)
	}
}

func (r result) isRefused(t *testing.T, reason error) {
	t.Helper()
	if r.reason != reason {
		t.Errorf("got %+v, want %v", r, reason)
	}
}

func always(unavailable bool) func(request) reply {
	return func(request) reply { return reply{unavailable: unavailable} }
}

var scenarios = []scenario{
	{
		name: "a route by path",
		rules: virtualService(`
  - match: [{uri: {exact: /grpc.testing.TestService/UnaryCall}}]
    route: [{destination: {host: ratings, subset: v2}}]
  - route: [{destination: {host: ratings, subset: v1}}]`),
		check: func(t *testing.T, _ *stage, call func(headers) result) { call(nil).is(t, "v2") },
	},
	{
		name: "a route by header",
		rules: virtualService(`
  - match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: ratings, subset: v2}}]
  - route: [{destination: {host: ratings, subset: v1}}]`),
		check: func(t *testing.T, _ *stage, call func(headers) result) {
			call(headers{"end-user": "jason"}).is(t, "v2")
			call(headers{"end-user": "curl"}).is(t, "v1")
		},
	},
	{
		name: "a route by method and authority",
		rules: virtualService(`
  - match: [{method: {exact: GET}}]
    route: [{destination: {host: ratings, subset: v1}}]
  - match: [{method: {exact: POST}, authority: {exact: ratings}}]
    route: [{destination: {host: ratings, subset: v2}}]`),
		check: func(t *testing.T, _ *stage, call func(headers) result) { call(nil).is(t, "v2") },
	},
	{
		name:  "no route",
		rules: virtualService("  - match: [{uri: {exact: /other}}]\n    route: [{destination: {host: ratings}}]"),
		check: func(t *testing.T, _ *stage, call func(headers) result) { call(nil).isRefused(t, mesh.ErrNoRoute) },
	},
	{
		name: "no such subset",
		rules: virtualService("  - route: [{destination: {host: ratings, subset: v9}}]") +
			destinationRule("  subsets: [{name: v1, labels: {version: v1}}]"),
		check: func(t *testing.T, _ *stage, call func(headers) result) { call(nil).isRefused(t, mesh.ErrNoCluster) },
	},
	{
		name:  "nobody in the subset",
		rules: virtualService("  - route: [{destination: {host: ratings, subset: v9}}]"),
		check: func(t *testing.T, _ *stage, call func(headers) result) { call(nil).isRefused(t, mesh.ErrNoHealthy) },
	},
	{
		name: "a split by weight",
		rules: virtualService(`
  - route:
    - {destination: {host: ratings, subset: v1}, weight: 80}
    - {destination: {host: ratings, subset: v2}, weight: 20}`),
		check: func(t *testing.T, _ *stage, call func(headers) result) {
			got := map[string]int{}
			for range 500 {
				got[call(nil).version]++
			}
			if got["v1"] < 340 || got["v2"] < 50 || got["v1"]+got["v2"] != 500 {
				t.Errorf("got %v, want about 400 and 100", got)
			}
		},
	},
	{
		name:  "an abort by HTTP status",
		rules: virtualService("  - fault: {abort: {httpStatus: 503, percentage: {value: 100}}}\n    route: [{destination: {host: ratings}}]"),
		check: func(t *testing.T, s *stage, call func(headers) result) {
			if got := call(nil); got.status != 503 || got.reason != nil || len(s.requests()) != 0 {
				t.Errorf("got %+v, %d requests", got, len(s.requests()))
			}
		},
	},
	{
		name:  "a delay",
		rules: virtualService("  - fault: {delay: {fixedDelay: 3s, percentage: {value: 100}}}\n    route: [{destination: {host: ratings, subset: v1}}]\n    timeout: 1s"),
		check: func(t *testing.T, _ *stage, call func(headers) result) {
			got := call(nil)
			got.is(t, "v1") // the timeout starts after it
			if got.took != 3*time.Second {
				t.Errorf("took %v", got.took)
			}
		},
	},
	{
		name:  "a timeout",
		rules: virtualService("  - route: [{destination: {host: ratings}}]\n    timeout: 2s"),
		reply: func(request) reply { return reply{after: time.Hour} },
		check: func(t *testing.T, _ *stage, call func(headers) result) {
			got := call(nil)
			got.isRefused(t, mesh.ErrTimeout)
			if got.took != 2*time.Second {
				t.Errorf("took %v", got.took)
			}
		},
	},
	{
		name: "a timeout for each try",
		rules: virtualService(`
  - route: [{destination: {host: ratings}}]
    timeout: 10s
    retries: {attempts: 2, perTryTimeout: 1s, retryOn: "5xx"}`),
		reply: func(request) reply { return reply{after: time.Hour} },
		check: func(t *testing.T, s *stage, call func(headers) result) {
			got := call(nil)
			got.isRefused(t, mesh.ErrTimeout)
			if got.took < 3*time.Second || got.took > 4*time.Second || len(s.requests()) != 3 {
				t.Errorf("took %v for %d tries", got.took, len(s.requests()))
			}
		},
	},
	{
		name:  "retries, elsewhere",
		rules: virtualService("  - route: [{destination: {host: ratings}}]\n    retries: {attempts: 2, retryOn: \"503,unavailable\"}"),
		reply: func(r request) reply { return reply{unavailable: r.version == "v1"} },
		check: func(t *testing.T, _ *stage, call func(headers) result) {
			for range 20 {
				call(nil).is(t, "v2")
			}
		},
	},
	{
		name:  "the last answer, when retries are exhausted",
		rules: virtualService("  - route: [{destination: {host: ratings}}]\n    retries: {attempts: 2, retryOn: \"503,unavailable\"}"),
		reply: always(true),
		check: func(t *testing.T, s *stage, call func(headers) result) {
			if got := call(nil); got.status != 503 || got.reason != nil || len(s.requests()) != 3 {
				t.Errorf("got %+v after %d tries", got, len(s.requests()))
			}
			if got := s.requests()[2].headers["x-envoy-attempt-count"]; got != "3" {
				t.Errorf("the last try says that it is number %q", got)
			}
		},
	},
	{
		name:  "no retries",
		rules: virtualService("  - route: [{destination: {host: ratings}}]\n    retries: {attempts: 0}"),
		reply: always(true),
		check: func(t *testing.T, s *stage, call func(headers) result) {
			if got := call(nil); got.status != 503 || len(s.requests()) != 1 {
				t.Errorf("got %+v after %d tries", got, len(s.requests()))
			}
		},
	},
	{
		name:  "the built-in retries do not repeat what may have been executed",
		reply: always(true),
		check: func(t *testing.T, s *stage, call func(headers) result) {
			if got := call(nil); got.status != 503 || len(s.requests()) != 1 {
				t.Errorf("got %+v after %d tries", got, len(s.requests()))
			}
		},
	},
	{
		name: "headers",
		rules: virtualService(`
  - route: [{destination: {host: ratings, subset: v1}}]
    headers:
      request: {set: {x-set: "by rule"}, add: {x-add: two}, remove: [x-remove]}
      response: {set: {x-answer: "by rule", x-told: "%REQ(x-set)%, %REQ(x-remove)%"}}`),
		check: func(t *testing.T, s *stage, call func(headers) result) {
			got := call(headers{"x-set": "by caller", "x-add": "one", "x-remove": "yes"})
			sent := s.requests()[0].headers
			want := headers{"x-set": "by rule", "x-add": "one,two"}
			for name, value := range want {
				if sent[name] != value {
					t.Errorf("%s: got %q, want %q", name, sent[name], value)
				}
			}
			if _, there := sent["x-remove"]; there || got.headers["x-answer"] != "by rule" || got.headers["x-told"] != "by rule, " {
				t.Errorf("sent %v, got %v", sent, got.headers)
			}
		},
	},
	{
		name: "rewrites",
		rules: virtualService(`
  - match: [{uri: {prefix: /grpc.testing}, headers: {x-rewrite: {exact: "yes"}}}]
    rewrite: {uri: /grpc.testing, authority: other.example.com}
    route: [{destination: {host: ratings, subset: v1}}]`),
		check: func(t *testing.T, s *stage, call func(headers) result) {
			call(headers{"x-rewrite": "yes"})
			got := s.requests()[0]
			if got.authority != "other.example.com" || got.headers["x-envoy-original-path"] != method {
				t.Errorf("got %+v", got)
			}
		},
	},
	{
		name: "an ejection after five failures",
		rules: virtualService("  - route: [{destination: {host: ratings}}]\n    retries: {attempts: 0}") +
			destinationRule("  trafficPolicy: {loadBalancer: {simple: ROUND_ROBIN}, outlierDetection: {consecutive5xxErrors: 5, baseEjectionTime: 30s}}"),
		reply: func(r request) reply { return reply{unavailable: r.version == "v1"} },
		check: func(t *testing.T, s *stage, call func(headers) result) {
			failed := 0
			for range 60 {
				if call(nil).status == 503 {
					failed++
				}
			}
			if failed != 5 {
				t.Errorf("%d calls failed, want 5", failed)
			}
			<-time.After(31 * time.Second)
			failed = 0
			for range 20 {
				if call(nil).status == 503 {
					failed++
				}
			}
			if failed != 1 {
				t.Errorf("%d calls failed after 30 s, want 1, which probes", failed)
			}
		},
	},
	{
		name: "consistent hashing",
		rules: virtualService("  - route: [{destination: {host: ratings}}]") +
			destinationRule("  trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user}}}"),
		check: func(t *testing.T, _ *stage, call func(headers) result) {
			seen := map[string]bool{}
			for user := range 20 {
				h := headers{"x-user": fmt.Sprint("user", user)}
				first := call(h).version
				seen[first] = true
				for range 5 {
					call(h).is(t, first)
				}
			}
			if len(seen) != 2 {
				t.Errorf("all users go to %v", seen)
			}
		},
	},
	{
		name:  "a mirror",
		rules: virtualService("  - route: [{destination: {host: ratings, subset: v1}}]\n    mirror: {host: ratings, subset: v2}\n    headers: {request: {set: {x-set: mirrored}}}"),
		check: func(t *testing.T, s *stage, call func(headers) result) {
			call(headers{"x-user": "u"}).is(t, "v1")
			synctest.Wait()
			versions := map[string]request{}
			for _, r := range s.requests() {
				versions[r.version] = r
			}
			if got := versions["v2"].headers; len(versions) != 2 || got["x-set"] != "mirrored" || got["x-user"] != "u" {
				t.Errorf("got %+v", versions)
			}
		},
	},
	{
		name: "an overflow",
		rules: virtualService("  - route: [{destination: {host: ratings}}]") +
			destinationRule("  trafficPolicy: {connectionPool: {http: {http2MaxRequests: 1}}}"),
		reply: func(request) reply { return reply{after: time.Second} },
		check: func(t *testing.T, _ *stage, call func(headers) result) {
			first := make(chan result)
			go func() { first <- call(nil) }()
			synctest.Wait()
			call(nil).isRefused(t, mesh.ErrOverflow)
			if got := <-first; got.status != 200 {
				t.Errorf("got %+v", got)
			}
			if got := call(nil); got.status != 200 {
				t.Errorf("got %+v", got)
			}
		},
	},
}

func TestRulesMeanTheSameOnBothFaces(t *testing.T) {
	for _, s := range scenarios {
		for name, make := range map[string]func(t *testing.T, s *stage) face{
			"HTTP": func(t *testing.T, s *stage) face { return &httpFace{s, meshtest.New(t)} },
			"gRPC": func(t *testing.T, s *stage) face { return &grpcFace{s, newFleet(t)} },
		} {
			t.Run(s.name+" over "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					stage := &stage{reply: s.reply}
					stage.face = make(t, stage)
					for _, version := range []string{"v1", "v2"} {
						stage.start(version)
					}
					s.check(t, stage, stage.client(mesh.Config{Rules: rules.Static(s.rules)}))
				})
			})
		}
	}
}

func TestAHostThatRefusesConnectionsIsAvoidedOnBothFaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := &stage{}, &stage{}
		one.face, two.face = &httpFace{one, meshtest.New(t)}, &grpcFace{two, newFleet(t)}
		for _, s := range []*stage{one, two} {
			s.start("v1")
			s.start("v2")()
			call := s.client(mesh.Config{})
			for range 20 {
				call(nil).is(t, "v1")
			}
		}
	})
}
