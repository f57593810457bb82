package admin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/admin"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
)

const reviewsRules = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
    - name: for-jason
      match: [{headers: {end-user: {exact: jason}}}]
      route: [{destination: {host: reviews, subset: v2}}]
    - name: for-all
      route:
        - {destination: {host: reviews, subset: v1}, weight: 90}
        - {destination: {host: reviews, subset: v2}, weight: 10}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy:
    connectionPool: {http: {http2MaxRequests: 50}}
    outlierDetection: {consecutive5xxErrors: 2, baseEjectionTime: 300s}
  subsets:
    - {name: v1, labels: {version: v1}}
    - {name: v2, labels: {version: v2}}
`

// answering is a handler that answers with a status.
func answering(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
}

func TestDestinationsShowWhoIsEjectedAndWhy(t *testing.T) {
	s := under(t, strings.ReplaceAll(reviewsRules, "subset: v1", "subset: v2"))
	s.Start("reviews", answering(500), meshtest.Labels{"version": "v2"})
	for range 2 {
		s.get("http://reviews/reviews/7")
	}
	var got admin.Destinations
	s.read("/api/destinations", &got)
	if len(got.Destinations) != 1 {
		t.Fatalf("%+v", got)
	}
	d := got.Destinations[0]
	if d.Service != "reviews.default.svc.cluster.local" || d.Subset != "v2" || d.Policy == nil || d.Policy.Name != "reviews" || d.Limits.Requests != 50 {
		t.Errorf("%+v", d)
	}
	if d.Discovered.IsZero() || d.Trouble != "" || len(d.Endpoints) != 1 {
		t.Fatalf("%+v", d)
	}
	e := d.Endpoints[0]
	if e.Circuit != "open" || e.Available || e.Ejections != 1 || e.Reason != "consecutive5xxErrors" || e.Health != "healthy" ||
		e.Until.Sub(e.Ejected).Seconds() != 300 || e.Labels["version"] != "v2" {
		t.Errorf("%+v", e)
	}
}

func TestRulesShowObjectsAndWhatIsWrongWithNewerOnes(t *testing.T) {
	s := under(t, reviewsRules)
	var got admin.Rules
	s.read("/api/rules", &got)
	if got.Version == "" || got.Since.IsZero() || len(got.Objects) != 2 || got.Error != "" || got.Rejected != 0 {
		t.Fatalf("%+v", got)
	}
	if o := got.Objects[0]; o.Kind != "VirtualService" || o.Name != "reviews" || o.File != "static[0]" || o.Line == 0 ||
		!strings.Contains(string(o.Spec), `"for-jason"`) {
		t.Errorf("%+v", o)
	}
	version := got.Version
	_ = s.rules.Update(strings.Replace(reviewsRules, "weight: 90", "wieght: 90", 1))
	s.until("the new rules are rejected", func() bool {
		got = admin.Rules{}
		s.read("/api/rules", &got)
		return got.Rejected > 0
	})
	if got.Version != version || len(got.Faults) == 0 || got.Faults[0].Line != 13 || !strings.Contains(got.Error, "static[0]:13") {
		t.Errorf("%+v", got)
	}
}

func TestExplainSaysWhichRouteAndWhyNotTheOthers(t *testing.T) {
	s := under(t, reviewsRules)
	s.Start("reviews", answering(200), meshtest.Labels{"version": "v1"})
	s.Start("reviews", answering(200), meshtest.Labels{"version": "v2"})
	for header, want := range map[string]string{"end-user: jason": "[true false] v2", "end-user: bob": "[false true] v1 v2"} {
		var got admin.Explanation
		s.read("/api/explain?host=reviews&path=/reviews/7%3Fx=1&header="+url.QueryEscape(header), &got)
		var matched []bool
		var subsets []string
		for _, r := range got.Routes {
			matched = append(matched, r.Matched)
		}
		for _, d := range got.Destinations {
			subsets = append(subsets, d.Subset)
			if len(d.Hosts) != 1 {
				t.Errorf("%s: %+v", header, d)
			}
		}
		if line := fmt.Sprint(matched, " ", strings.Join(subsets, " ")); line != want || got.Request.URL != "http://reviews/reviews/7?x=1" {
			t.Errorf("%s: %s, want %s: %+v", header, line, want, got)
		}
	}
}

func TestExplainNamesWhatItCannotUnderstand(t *testing.T) {
	s := under(t, "")
	for query, want := range map[string]string{
		"":                             "host: it is missing",
		"host=a&scheme=ftp":            `scheme: "ftp" is none of http, https and tcp`,
		"host=a&path=x":                `path: "x" does not begin with a slash`,
		"host=a&header=x":              `header: "x" has no colon`,
		"host=a&method=a%20b":          "invalid method",
		"host=" + url.QueryEscape("%"): "invalid URL escape",
		"host=a/b&path=/c":             `host: "a/b" is not a host and a port`,
		"host=a?b":                     `host: "a?b" is not a host and a port`,
		"host=u@a":                     `host: "u@a" is not a host and a port`,
		"host=a%23":                    `host: "a#" is not a host and a port`,
		"host=a&path=/50%":             `query: invalid URL escape "%"`,
		"host=a&header=cookie:a=1;b=2": "query: invalid semicolon separator",
	} {
		if w := s.page("/api/explain?" + query); w.Code != http.StatusBadRequest || !strings.Contains(strings.ReplaceAll(w.Body.String(), `\`, ""), want) {
			t.Errorf("%s: %d %s, want %q", query, w.Code, w.Body, want)
		}
	}
}

// What net/url cannot read it leaves out, and the answer would be to another question.
func TestNoQuestionIsHalfRead(t *testing.T) {
	s := under(t, "")
	for path, want := range map[string]string{
		"/api/topology?window=60s;format=dot": "query: invalid semicolon separator",
		"/api/topology?fleet=all":             `fleet: "all" is neither true nor false`,
		"/api/tap?path=/50%":                  `query: invalid URL escape "%"`,
	} {
		if w := s.page(path); w.Code != http.StatusBadRequest || !strings.Contains(strings.ReplaceAll(w.Body.String(), `\`, ""), want) {
			t.Errorf("%s: %d %s, want %q", path, w.Code, w.Body, want)
		}
	}
}

func TestExplainTakesTheHostOfAHeaderAsARequestWould(t *testing.T) {
	s := under(t, reviewsRules)
	var got admin.Explanation
	if s.read("/api/explain?host=elsewhere&header=host:reviews", &got); got.Service != "reviews.default.svc.cluster.local" {
		t.Errorf("asked about reviews, answered about %s", got.Service)
	}
}

func TestVersionSaysWhoAnswers(t *testing.T) {
	var got admin.Version
	under(t, "").read("/api/version", &got)
	if got.Go != runtime.Version() || got.Instance.Service != "productpage" || got.Instance.Namespace != "default" || got.Instance.ID == "" {
		t.Errorf("%+v", got)
	}
}

const accessRules = reviewsRules + `
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: readers}
spec:
  selector: {matchLabels: {app: reviews}}
  rules:
    - from: [{source: {principals: [cluster.local/ns/default/sa/productpage]}}]
      to: [{operation: {methods: [GET], paths: [/reviews/*]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: not-v2}
spec:
  action: DENY
  selector: {matchLabels: {app: reviews, version: v2}}
  rules: [{when: [{key: "request.headers[end-user]", values: [mallory]}]}]
`

// TestExplainSaysWhatTheOtherSideWouldDecide, and the other side does decide so.
func TestExplainSaysWhatTheOtherSideWouldDecide(t *testing.T) {
	s := secured(t, "productpage", strings.NewReplacer("weight: 90", "weight: 50", "weight: 10", "weight: 50").Replace(accessRules))
	for _, c := range []struct {
		method, path, user string
		allowed            string // at v1, at v2
		policy             string // that says so at v2
	}{
		{"GET", "/reviews/7", "mallory", "true false", "not-v2"},
		{"GET", "/reviews/7", "bob", "true true", "readers"},
		{"GET", "/secret", "bob", "false false", ""},
		{"DELETE", "/reviews/7", "bob", "false false", ""},
	} {
		var got admin.Explanation
		s.read(fmt.Sprintf("/api/explain?host=reviews&method=%s&path=%s&header=end-user:%s", c.method, c.path, c.user), &got)
		if n := len(got.Destinations[0].Access[0].Endpoints); n != 2 {
			t.Errorf("%d endpoints of v1, which are one workload to policies", n)
		}
		v1, v2 := got.Destinations[0].Access, got.Destinations[1].Access
		if len(v1) != 1 || len(v2) != 1 {
			t.Fatalf("%+v", got)
		}
		policy := ""
		if v2[0].Policy != nil {
			policy = v2[0].Policy.Name
		}
		if allowed := fmt.Sprint(v1[0].Allowed, v2[0].Allowed); allowed != c.allowed || policy != c.policy || v1[0].Mode != "STRICT" {
			t.Errorf("%s %s: %s by %q, want %s by %q: %+v", c.method, c.path, allowed, policy, c.allowed, c.policy, v2)
		}
		s.agrees(c.method, "http://reviews"+c.path, c.user, map[string]bool{"v1": v1[0].Allowed, "v2": v2[0].Allowed})
	}
}

func TestExplainSaysThatAStrangerIsRefusedByAStrictPort(t *testing.T) {
	s := secured(t, "", accessRules)
	var got admin.Explanation
	s.read("/api/explain?host=reviews&path=/reviews/7", &got)
	if a := got.Destinations[0].Access[0]; a.Allowed || a.Peer != "" || !strings.Contains(a.Reason, "STRICT") {
		t.Errorf("%+v", a)
	}
}
