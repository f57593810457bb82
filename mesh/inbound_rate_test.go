package mesh_test

import (
	"strconv"
	"testing"

	"github.com/inmesh-go/inmesh/tlsid"
)

func rate(name, spec string) string { return rule("HTTPLocalRateLimitPolicy", name, spec) }

const server = "targetRef: {group: policy.linkerd.io, kind: Server, name: reviews}"

// rated is a house under rates in paused time: none of them lets more in because
// this machine is slow.
func rated(t *testing.T, f func(t *testing.T, b *house), documents ...string) {
	shortLived(t, func(t *testing.T, ca *tlsid.CA) { f(t, openInside(t, ca, nil, hello, documents...)) })
}

// spend sends requests until one is refused, at most so many; it returns how many
// were let in.
func (g *guest) spend(most int, path string) int {
	g.t.Helper()
	for n := range most {
		a := g.send("GET", path)
		if a.status == 200 {
			continue
		}
		after, err := strconv.Atoi(a.header.Get("Retry-After"))
		if a.status != 429 || err != nil || after != 1 || a.body != "local_rate_limited" {
			g.t.Errorf("%d %q, Retry-After %d (%v), want 429", a.status, a.body, after, err)
		}
		return n
	}
	return most
}

func (g *guest) spends(path string, want int) {
	g.t.Helper()
	if got := g.spend(want+20, path); got != want {
		g.t.Errorf("%s: %d requests were let in, want %d", path, got, want)
	}
}

const plenty = 100 // more than is asked of a rate that does not hold

func TestRatesHoldForAllForEachAndForThoseNamed(t *testing.T) {
	each := rate("each", "{"+server+", identity: {requestsPerSecond: 2}, overrides: [{requestsPerSecond: 10, clientRefs: [{kind: ServiceAccount, name: batch}]}], total: {requestsPerSecond: 1000}}")
	for _, version := range versions {
		rated(t, func(t *testing.T, b *house) {
			page, ratings, batch, stranger := b.guest("productpage", version), b.guest("ratings", version), b.guest("batch", version), b.stranger(version)
			page.spends("/", 2)
			b.guest("productpage", version).get("/", 429) // another connection of the same caller
			ratings.spends("/", 2)
			batch.spends("/", 10)
			stranger.spends("/", 2)
			b.stranger(version).get("/", 429) // those without identity share one
			told := b.diary.takeAccess()
			if i := told[0]; i.Flag != "RL" || i.Policy != "default/each" || i.Reason != "rate limit default/each: identity: 2 per second" || i.Peer != "spiffe://"+pageID {
				t.Errorf("told %+v", i)
			}
		}, each)
	}
}

func TestATotalHoldsForAllTogether(t *testing.T) {
	rated(t, func(t *testing.T, b *house) {
		page := b.guest("productpage", http2)
		page.spends("/", 3)
		ratings := b.guest("ratings", http1)
		ratings.get("/", 429)
		b.obey("") // a rate that is gone holds nobody any more
		if got := ratings.spend(plenty, "/"); got != plenty {
			t.Errorf("%d requests of %d were let in", got, plenty)
		}
		b.obey(rate("all", "{"+server+", total: {requestsPerSecond: 1}}"))
		page.spends("/", 1)
	}, rate("all", "{"+server+", total: {requestsPerSecond: 3}}"))
}

func TestARateHoldsForItsRouteOnly(t *testing.T) {
	rated(t, func(t *testing.T, b *house) {
		g := b.guest("productpage", http2)
		g.get("/search/a", 200)
		if a := g.get("/search/b", 429); a.header.Get("X-Envoy-Ratelimited") != "true" {
			t.Errorf("%v", a.header)
		}
		g.get("/search/b", 429, "Host: nobody.knows")
		if got := g.spend(plenty, "/"); got != plenty {
			t.Errorf("%d requests of %d were let in", got, plenty)
		}
	}, `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - {name: search, match: [{uri: {prefix: /search}}], route: [{destination: {host: reviews}}]}
  - {name: rest, route: [{destination: {host: reviews}}]}
`, rate("search", "{targetRef: {group: gateway.networking.k8s.io, kind: HTTPRoute, name: search}, total: {requestsPerSecond: 1}}"))
}

// Whom policies refuse spends nothing of what is for others.
func TestWhoIsRefusedSpendsNothing(t *testing.T) {
	rated(t, func(_ *testing.T, b *house) {
		for range 20 {
			b.guest("ratings", http1).get("/", 403)
		}
		b.guest("productpage", http1).get("/", 200)
	}, only(pageID), rate("all", "{"+server+", total: {requestsPerSecond: 1}}"))
}

func TestGRPCCallersOverTheirRateAreToldUnavailable(t *testing.T) {
	rated(t, func(t *testing.T, b *house) {
		g := b.guest("productpage", http2)
		g.get("/", 200)
		if a := g.get("/", 200, "Content-Type: application/grpc"); a.header.Get("Grpc-Status") != "14" || a.header.Get("Grpc-Retry-Pushback-Ms") != "1000" {
			t.Errorf("%v", a.header)
		}
	}, rate("all", "{"+server+", total: {requestsPerSecond: 1}}"))
}
