package mesh_test

import (
	"net/http"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/mesh"
)

// Whom a request was for is told of every end that it may come to, as Istio's
// proxies tell it; of the workload as much as is known where it ended.
func TestEveryEndOfACallSaysWhomItWasFor(t *testing.T) {
	const (
		reviewsThere = "reviews.default.svc.cluster.local reviews default reviews-v2"
		reviewsNone  = "reviews.default.svc.cluster.local reviews default unknown"
	)
	for name, c := range map[string]struct {
		http string // the routes
		act  func(*scene)
		want map[string]int64
	}{
		"an answer":         {"[{route: [{destination: {host: reviews}}]}]", gets("http://reviews/"), ends("200 - " + reviewsThere)},
		"one of a client":   {"[{route: [{destination: {host: reviews}}]}]", gets("http://reviews/missing"), ends("404 - " + reviewsThere)},
		"no route":          {"[{match: [{uri: {exact: /a}}], route: [{destination: {host: reviews}}]}]", gets("http://reviews/b"), ends("404 NR " + reviewsNone)},
		"a direct response": {"[{directResponse: {status: 299}}]", gets("http://reviews/"), ends("299 - " + reviewsNone)},
		"a redirect":        {"[{redirect: {uri: /b}}]", gets("http://reviews/a"), ends("301 - " + reviewsNone)},
		"an abort":          {"[{route: [{destination: {host: reviews}}], fault: {abort: {httpStatus: 503, percentage: {value: 100}}}}]", gets("http://reviews/"), ends("503 FI " + reviewsNone)},
		"a limit":           {"[{route: [{destination: {host: reviews}}], retries: {attempts: 0}}]", overflows, map[string]int64{"503 UO " + reviewsNone: 1, "200 - " + reviewsThere: 1}},
		"a copy beside it":  {"[{route: [{destination: {host: reviews}}], mirror: {host: reviews}}]", gets("http://reviews/"), ends("200 - " + reviewsThere)},
		"somewhere else":    {"[{route: [{destination: {host: reviews}}], rewrite: {authority: other}}]", gets("http://reviews/"), ends("200 - " + reviewsThere)},
		"an unknown host":   {"[{route: [{destination: {host: reviews}}]}]", gets("http://elsewhere.example:8080/"), ends("503 UF elsewhere.example:8080 PassthroughCluster unknown unknown")},
	} {
		t.Run(name, func(t *testing.T) {
			documents := []string{policy("reviews", "{connectionPool: {http: {http2MaxRequests: 1}}}"), routes("reviews", c.http)}
			before(t, documents, func(s *scene, a *audience) {
				host := s.start("reviews", "r", "app", "reviews", "version", "v2")
				host.plays(func(w http.ResponseWriter, r *http.Request, n int) {
					status := http.StatusOK
					if r.URL.Path == "/missing" {
						status = http.StatusNotFound
					}
					later(time.Second, host.says(status))(w, r, n)
				})
				c.act(s)
				s.pass(time.Minute)
				wantCounts(t, a.outcomes(t, "response_code", "response_flags", "destination_service", "destination_service_name", "destination_service_namespace", "destination_workload"), c.want)
			})
		})
	}
}

func ends(how string) map[string]int64 { return map[string]int64{how: 1} }

func gets(url string) func(*scene) { return func(s *scene) { s.get(url) } }

// overflows has two calls under way where one may be.
func overflows(s *scene) {
	first := s.begin("http://reviews/")
	s.pass(time.Millisecond)
	s.get("http://reviews/")
	<-first
}

// What nobody knows and nobody may call is Istio's black hole.
func TestAHostThatMayNotBeCalledIsABlackHole(t *testing.T) {
	var a *audience
	playWith(t, nil, func(_ *scene, c *mesh.Config) {
		a = newAudience(sdktrace.AlwaysSample())
		c.Telemetry, c.OutboundPolicy = a.config(), mesh.RegistryOnly
	}, func(s *scene) {
		s.get("http://elsewhere.example/")
		wantCounts(t, a.outcomes(t, "response_code", "response_flags", "destination_service", "destination_service_name"),
			map[string]int64{"502 - elsewhere.example BlackHoleCluster": 1})
	})
}

// Why a request was refused stands in the flags where Envoy has one for it.
func TestRefusalsHaveTheFlagsOfTheirReason(t *testing.T) {
	issuer := newIssuer("https://issuer.example", 1)
	for name, c := range map[string]struct {
		documents []string
		fields    []string
		want      map[string]int64
	}{
		"a rate": {[]string{rate("all", "{"+server+", total: {requestsPerSecond: 1}}")}, nil, map[string]int64{
			"200 - mutual_tls productpage-v1": 1, "429 RL mutual_tls productpage-v1": 1}},
		"a token": {[]string{issuer.inlined("")}, []string{"Authorization", "Bearer x.y.z"}, map[string]int64{
			"401 - mutual_tls productpage-v1": 2}},
		"a policy": {[]string{rule("AuthorizationPolicy", "nobody", "{}")}, nil, map[string]int64{
			"403 - mutual_tls productpage-v1": 2}},
	} {
		t.Run(name, func(t *testing.T) {
			duo(t, http.HandlerFunc(fine), c.documents, func(d *duet) {
				d.get("http://reviews/", c.fields...)
				d.get("http://reviews/", c.fields...)
				d.pass(time.Second)
				wantCounts(t, d.host.outcomes(d, "response_code", "response_flags", "connection_security_policy", "source_workload"), c.want)
			})
		})
	}
}
