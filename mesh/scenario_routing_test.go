package mesh_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
)

// branches routes to subset v2 what matches, and the rest to v1.
func branches(match string) string {
	return routes("reviews", fmt.Sprintf(`[{match: [%s], route: [{destination: {host: reviews, subset: v2}}]},
		{route: [{destination: {host: reviews, subset: v1}}]}]`, match))
}

func TestRoutesMatchWhatTheRequestCarries(t *testing.T) {
	for _, c := range []struct {
		match       string
		method, url string
		fields      []string
		matches     bool
	}{
		{"{headers: {end-user: {exact: jason}}}", "GET", "/", []string{"End-User", "jason"}, true},
		{"{headers: {end-user: {exact: jason}}}", "GET", "/", []string{"End-User", "Jason"}, false},
		{"{headers: {end-user: {exact: jason}}}", "GET", "/", nil, false},
		{"{headers: {end-user: {}}}", "GET", "/", []string{"End-User", ""}, true},
		{"{headers: {x: {prefix: a}}}", "GET", "/", []string{"X", "abc"}, true},
		{"{headers: {x: {exact: 'a,b'}}}", "GET", "/", []string{"X", "a", "X", "b"}, true},
		{"{headers: {cookie: {regex: '.*user=jason.*'}}}", "GET", "/", []string{"Cookie", "a=b; user=jason"}, true},
		{"{withoutHeaders: {x: {}}}", "GET", "/", nil, true},
		{"{withoutHeaders: {x: {}}}", "GET", "/", []string{"X", "1"}, false},
		{"{queryParams: {canary: {exact: 'true'}}}", "GET", "/?a=b&canary=true", nil, true},
		{"{queryParams: {canary: {exact: 'true'}}}", "GET", "/?canary=false", nil, false},
		{"{queryParams: {canary: {}}}", "GET", "/?canary", nil, true},
		{"{method: {exact: POST}}", "POST", "/", nil, true},
		{"{method: {exact: POST}}", "GET", "/", nil, false},
		{"{uri: {prefix: /api}}", "GET", "/api/v1?x=1", nil, true},
		{"{uri: {prefix: /api}}", "GET", "/APIs", nil, false},
		{"{uri: {prefix: /api}, ignoreUriCase: true}", "GET", "/APIs", nil, true},
		{"{uri: {exact: /a/b}}", "GET", "/a/c/../b", nil, true},
		{"{uri: {regex: '/[0-9]+'}}", "GET", "/17", nil, true},
		{"{uri: {regex: '/[0-9]+'}}", "GET", "/17/", nil, false},
		{"{scheme: {exact: http}}", "GET", "/", nil, true},
		{"{authority: {exact: 'reviews'}}", "GET", "/", nil, true},
		{"{authority: {exact: 'reviews.default'}}", "GET", "/", nil, false},
		{"{uri: {prefix: /a}}, {method: {exact: PUT}}", "PUT", "/b", nil, true},
		{"{uri: {prefix: /a}, method: {exact: PUT}}", "PUT", "/b", nil, false},
	} {
		t.Run(fmt.Sprint(c.match, c.method, c.url, c.fields), func(t *testing.T) {
			play(t, []string{branches(c.match)}, func(s *scene) {
				s.start("reviews", "v1", "version", "v1")
				s.start("reviews", "v2", "version", "v2")
				a := s.do(s.request(c.method, "http://reviews"+c.url, "", c.fields...))
				if got := a.body == "v2"; got != c.matches || a.err != nil {
					t.Errorf("went to %q (%v), want a match: %v", a.body, a.err, c.matches)
				}
			})
		})
	}
}

func TestAServiceAnswersToAllItsNames(t *testing.T) {
	play(t, []string{branches("{method: {exact: DELETE}}")}, func(s *scene) {
		s.start("reviews", "v1", "version", "v1")
		for _, name := range []string{
			"reviews", "REVIEWS", "reviews.default", "reviews.default.svc", "reviews.default.svc.cluster.local", "reviews.default.svc.cluster.local.",
		} {
			s.want(s.get("http://"+name+"/"), "200")
			if got := s.journal.last().Service; got != "reviews.default.svc.cluster.local" {
				t.Errorf("%s is %s to observers", name, got)
			}
		}
	})
}

func TestTheEndpointsAddressNeverStandsInTheHostHeader(t *testing.T) {
	play(t, []string{retried("attempts: 1, retryOn: 5xx")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(host.saysInTurn(503, 200))
		s.want(s.get("http://reviews/"), "200")
		r := s.request("GET", "http://reviews/", "")
		r.Host = "reviews.default:9080"
		s.want(s.do(r), "200")
		for i, want := range []string{"reviews", "reviews", "reviews.default:9080"} {
			if got := host.questions()[i].Host; got != want {
				t.Errorf("try %d: Host %q, want %q", i+1, got, want)
			}
		}
	})
}

func TestTheHostHeaderDecidesNotTheURL(t *testing.T) {
	play(t, []string{unretried("reviews")}, func(s *scene) {
		host := s.start("reviews", "only")
		r := s.request("GET", "http://ratings/", "")
		r.Host = "reviews"
		s.want(s.do(r), "200")
		if host.heard() != 1 {
			t.Error("the request went elsewhere")
		}
	})
}

func TestRewrites(t *testing.T) {
	for _, c := range []struct{ route, url, path, host string }{
		{"match: [{uri: {prefix: /old}}], rewrite: {uri: /new}", "/old/a?q=1", "/new/a?q=1", "reviews"},
		{"match: [{uri: {prefix: /old/}}], rewrite: {uri: /}", "/old/a", "/a", "reviews"},
		{"match: [{uri: {exact: /old}}], rewrite: {uri: /new}", "/old?q=1", "/new?q=1", "reviews"},
		{"rewrite: {uri: /x}", "/foo", "/xfoo", "reviews"},
		{"rewrite: {authority: elsewhere.example}", "/foo", "/foo", "elsewhere.example"},
		{"rewrite: {uriRegexRewrite: {match: '/v([0-9])/', rewrite: '/version-\\1/'}}", "/v1/a/v2/b", "/version-1/a/version-2/b", "reviews"},
		{"match: [{uri: {prefix: /a%2Fb}}], rewrite: {uri: /c%2Fd}", "/a%2Fb/e", "/c%2Fd/e", "reviews"},
		{"match: [{uri: {prefix: /a}}], rewrite: {uri: '/é 1%'}", "/a/b%2Fc", "/%C3%A9%201%25/b%2Fc", "reviews"},
		{"match: [{uri: {prefix: /old}}], rewrite: {uri: '/new?x='}", "/old/a", "/new?x=/a", "reviews"},
		{"match: [{uri: {exact: /old}}], rewrite: {uri: '/new?x=1'}", "/old?q=1", "/new?x=1?q=1", "reviews"}, // as Envoy puts it
		{"rewrite: {uriRegexRewrite: {match: '^/a/(.*)$', rewrite: '/b?x=\\1'}}", "/a/%41", "/b?x=%41", "reviews"},
		{"rewrite: {uriRegexRewrite: {match: '^/a(/.*)?$', rewrite: '\\1'}}", "/a?q=1", "/?q=1", "reviews"},
	} {
		t.Run(c.route, func(t *testing.T) {
			play(t, []string{routes("reviews", "[{route: [{destination: {host: reviews}}], "+c.route+"}]")}, func(s *scene) {
				host := s.start("reviews", "only")
				r := s.request("GET", "http://reviews"+c.url, "")
				s.want(s.do(r), "200")
				q := host.questions()[0]
				if q.RequestURI != c.path || q.Host != c.host {
					t.Errorf("sent %s to %s, want %s to %s", q.RequestURI, q.Host, c.path, c.host)
				}
				if r.URL.RequestURI() != c.url || r.Header.Get("X-Envoy-Original-Path") != "" {
					t.Error("the caller's own request was changed")
				}
				if got := q.Header.Get("X-Envoy-Original-Path"); c.path != c.url && got != c.url {
					t.Errorf("original path %q", got)
				}
			})
		})
	}
}

// A path that its sender has spelt himself is no way around the rules.
func TestRulesSeeThePathOfAnOpaqueURL(t *testing.T) {
	const rule = `[{match: [{uri: {prefix: /admin}}], directResponse: {status: 403}},
		{match: [{queryParams: {v: {exact: old}}}], rewrite: {uriRegexRewrite: {match: '^/a', rewrite: '/b'}}, route: [{destination: {host: reviews}}]},
		{route: [{destination: {host: reviews}}]}]`
	for _, c := range []struct{ opaque, query, want, sent string }{
		{"//reviews/admin/x", "", "403", ""},
		{"/admin", "q", "403", ""},
		{"/x/../admin?q", "", "403", ""},
		{"//reviews", "", "200", "http://reviews"},
		{"//reviews/%61dmin/", "q=1", "200", "http://reviews/%61dmin/?q=1"},
		{"//reviews/a/c?v=old", "", "200", "/b/c?v=old"},
		{"/a%2F", "v=old", "200", "/b%2F?v=old"},
	} {
		play(t, []string{routes("reviews", rule)}, func(s *scene) {
			host := s.start("reviews", "only")
			r := s.request("GET", "http://reviews/", "")
			r.URL.Opaque, r.URL.RawQuery = c.opaque, c.query
			s.want(s.do(r), c.want)
			if c.sent != "" && host.questions()[0].RequestURI != c.sent {
				t.Errorf("%s?%s: sent %s, want %s", c.opaque, c.query, host.questions()[0].RequestURI, c.sent)
			}
		})
	}
}

func TestARequestsRouteIsNamedByTheMatchToo(t *testing.T) {
	const route = `[{name: shop, match: [{name: cart, uri: {prefix: /cart}}, {uri: {prefix: /plain}}, {name: post, method: {exact: POST}}], route: [{destination: {host: reviews}}]},
  {match: [{name: other, uri: {prefix: /other}}], route: [{destination: {host: reviews}}]}]`
	play(t, []string{routes("reviews", route)}, func(s *scene) {
		s.start("reviews", "only")
		for path, want := range map[string]string{"/cart/1": "shop.cart", "/plain": "shop", "/other": "spec.http[1].other"} {
			s.want(s.get("http://reviews"+path), "200")
			if got := s.journal.last().Route; got != want {
				t.Errorf("%s: route %q, want %q", path, got, want)
			}
		}
		s.want(s.post("http://reviews/plain", ""), "200")
		if got := s.journal.last().Route; got != "shop" {
			t.Errorf("the first match that holds has no name, and the route is %q", got)
		}
	})
}

// What an answer's headers say of the request is what was sent, as in a proxy, which
// has no other.
func TestHeadersOfAnswersAskForTheRequestThatWasSent(t *testing.T) {
	const route = `[{route: [{destination: {host: reviews}}], rewrite: {uri: /new, authority: there.example},
  headers: {request: {set: {x-user: "<%REQ(x-user)%>"}}, response: {set: {x-told: "%REQ(x-user)% %REQ(:authority)% %REQ(:path)% %REQ(x-envoy-original-path)%"}}}}]`
	play(t, []string{routes("reviews", route)}, func(s *scene) {
		s.start("reviews", "only")
		a := s.get("http://reviews/old?q=1", "X-User", "alice")
		if got, want := a.header.Get("X-Told"), "<alice> there.example /newold?q=1 /old?q=1"; got != want {
			t.Errorf("%v tells %q, want %q", a, got, want)
		}
	})
}

func TestRedirectsAreAnsweredAndNotFollowed(t *testing.T) {
	for _, c := range []struct {
		redirect string
		status   int
		location string
	}{
		{"{uri: /new}", 301, "http://reviews/new?q=1"},
		{"{authority: other.example, redirectCode: 302}", 302, "http://other.example/old/a?q=1"},
		{"{scheme: https, redirectCode: 308}", 308, "https://reviews/old/a?q=1"},
		{"{port: 8080}", 301, "http://reviews:8080/old/a?q=1"},
		{"{uri: '/new?r=2', redirectCode: 303}", 303, "http://reviews/new?r=2"},
	} {
		play(t, []string{routes("reviews", "[{redirect: "+c.redirect+", headers: {response: {set: {X-By: mesh}}}}]")}, func(s *scene) {
			host := s.start("reviews", "only")
			a := s.get("http://reviews/old/a?q=1")
			if a.status != c.status || a.header.Get("Location") != c.location || a.header.Get("X-By") != "mesh" {
				t.Errorf("%s: got %v to %q, want %d to %q", c.redirect, a, a.header.Get("Location"), c.status, c.location)
			}
			if host.heard() != 0 {
				t.Error("an upstream was asked")
			}
		})
	}
}

func TestDirectResponses(t *testing.T) {
	rule := routes("reviews", `[{directResponse: {status: 451, body: {string: "not here"}}, headers: {response: {set: {Content-Type: text/x-law}}}}]`)
	play(t, []string{rule}, func(s *scene) {
		host := s.start("reviews", "only")
		a := s.get("http://reviews/")
		if a.status != 451 || a.body != "not here" || a.header.Get("Content-Type") != "text/x-law" {
			t.Errorf("got %v %q %v", a, a.body, a.header)
		}
		if a := s.do(s.request(http.MethodHead, "http://reviews/", "")); a.status != 451 || a.body != "" {
			t.Errorf("HEAD got %v %q", a, a.body)
		}
		if host.heard() != 0 || s.journal.last().Status != 451 {
			t.Errorf("the observer heard %+v", s.journal.last())
		}
	})
}

func TestNoRouteIsA404AndNothingElseIsTried(t *testing.T) {
	play(t, []string{routes("reviews", "[{match: [{uri: {prefix: /only}}], route: [{destination: {host: reviews}}]}]")}, func(s *scene) {
		host := s.start("reviews", "only")
		s.want(s.get("http://reviews/only"), "200")
		s.refused(s.get("http://reviews/other"), "no route matches", 404, "NR")
		if host.heard() != 1 {
			t.Error("fell through to the default route")
		}
	})
}

func TestAnUnknownPortOfAServiceEntryIsRefused(t *testing.T) {
	entry := `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: reviews}
spec:
  hosts: [reviews]
  ports: [{number: 9080, name: http, protocol: HTTP}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1, ports: {http: 80}}]
`
	play(t, []string{entry}, func(s *scene) {
		s.start("elsewhere", "only") // the first address that the fleet gives
		s.want(s.get("http://reviews/"), "200")
		s.want(s.get("http://reviews:9080/"), "200")
		s.refused(s.get("http://reviews:81/"), "no such subset or port", 503, "NC")
	})
}

func TestRulesAreForTheWorkloadsThatTheyName(t *testing.T) {
	rules := []string{branches("{sourceLabels: {app: page}}"), branches("{sourceNamespace: shop}")}
	for _, c := range []struct {
		workload mesh.Workload
		rule     int
		want     string
	}{
		{mesh.Workload{Labels: map[string]string{"app": "page", "version": "v1"}}, 0, "v2"},
		{mesh.Workload{Labels: map[string]string{"app": "other"}}, 0, "v1"},
		{mesh.Workload{}, 0, "v1"},
		{mesh.Workload{Namespace: "shop"}, 1, "v2"},
		{mesh.Workload{}, 1, "v1"},
	} {
		configure := func(_ *scene, cfg *mesh.Config) { cfg.Workload = c.workload }
		playWith(t, rules[c.rule:c.rule+1], configure, func(s *scene) {
			s.start("reviews.default", "v1", "version", "v1")
			s.start("reviews.default", "v2", "version", "v2")
			if a := s.get("http://reviews.default/"); a.body != c.want {
				t.Errorf("%+v: went to %q (%v), want %s", c.workload, a.body, a, c.want)
			}
		})
	}
}

// Which port a request is for says its URL's scheme where nothing else does, whatever
// those before it were for.
func TestTheSchemeSaysWhichPortARequestIsFor(t *testing.T) {
	for _, urls := range [][]string{{"http://reviews/", "https://reviews/"}, {"https://reviews/", "http://reviews/"}} {
		play(t, []string{route("reviews", "retries: {attempts: 0}")}, func(s *scene) {
			s.start("reviews", "only")
			for _, url := range urls {
				s.get(url)
			}
			var ports []uint16
			for _, cl := range s.mesh.Clusters() {
				ports = append(ports, cl.Port)
			}
			if slices.Sort(ports); !slices.Equal(ports, []uint16{0, 443}) {
				t.Errorf("%v: the clusters have ports %v, want 0 and 443", urls, ports)
			}
		})
	}
}

// 204 and 304 have no content (RFC 9110 §6.4.1): who hands it on, as a proxy does,
// breaks off.
func TestAnAnswerOfARulesOwnThatHasNoContentHasNoBody(t *testing.T) {
	for _, rule := range []string{
		`[{directResponse: {status: %d, body: {string: "text"}}}]`,
		`[{route: [{destination: {host: reviews}}], fault: {abort: {httpStatus: %d, percentage: {value: 100}}}}]`,
	} {
		for _, status := range []int{204, 304} {
			play(t, []string{routes("reviews", fmt.Sprintf(rule, status))}, func(s *scene) {
				resp, err := s.client.Get("http://reviews/")
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if resp.StatusCode != status || len(body)+len(resp.Header) != 0 || resp.ContentLength != 0 || err != nil {
					t.Errorf("%s: got %d %q (%v), of length %d, with %v", rule, resp.StatusCode, body, err, resp.ContentLength, resp.Header)
				}
			})
		}
	}
}
