package admin_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// secretRules have a secret wherever one may stand.
const secretRules = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
  labels: {api-key: PLANTED-label}
  annotations:
    token: PLANTED-annotation
    kubectl.kubernetes.io/last-applied-configuration: '{"spec":{"anything":"PLANTED-copy"}}'
spec:
  hosts: [reviews]
  http:
    - name: by-key
      match:
        - headers: {x-api-key: {exact: PLANTED-match}}
        - headers: {authorization: {prefix: "Bearer PLANTED-prefix"}}
        - headers: {cookie: {regex: ".*PLANTED-cookie.*"}}
        - queryParams: {access_token: {exact: PLANTED-param}}
        - withoutHeaders: {x-auth-token: {exact: PLANTED-without}}
          method: {exact: PATCH}
      redirect: {uri: "/login?token=PLANTED-redirect"}
    - name: other
      headers:
        request: {set: {Authorization: "Basic PLANTED-set"}, add: {X-Other: "Bearer PLANTED-looks"}}
        response: {add: {Set-Cookie: "session=PLANTED-answer"}}
      route: [{destination: {host: reviews}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: reviews}
spec:
  action: DENY
  rules: [{when: [{key: "request.headers[x-session-token]", values: [PLANTED-when], notValues: [PLANTED-not]}]}]
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: reviews}
spec:
  selector: {matchLabels: {app: somebody-else}}
  jwtRules:
    - {issuer: a, jwksUri: "https://user:PLANTED-user@keys.example.com/?api_key=PLANTED-uri"}
`

// jwt looks like a token; what it says is PLANTED.
const jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJQTEFOVEVEIn0.PLANTED-signature"

// TestNoSecretIsEverShown plants secrets in rules, in requests and in an identity,
// and looks for them on every page.
func TestNoSecretIsEverShown(t *testing.T) {
	f := meshtest.New(t)
	source := rules.Static(secretRules)
	id, _ := tlsid.ParseID("spiffe://cluster.local/ns/default/sa/productpage")
	identity, err := f.CA().Issue(id)
	if err != nil {
		t.Fatal(err)
	}
	s := sceneOf(t, f, mesh.Config{Workload: mesh.Workload{Service: "productpage"}, Rules: source, Identity: tlsid.Static(identity)})
	held, gate := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	f.Start("reviews", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Set-Cookie", "a=PLANTED-upstream")
		if strings.HasPrefix(r.URL.Path, "/held/") {
			close(held)
			<-gate
		}
	}), nil)
	tap := s.tap("/api/tap")
	send := func(path string) {
		r, _ := http.NewRequest("GET", "http://reviews"+path, strings.NewReader("PLANTED-body"))
		for name, value := range map[string]string{
			"Authorization": "Bearer PLANTED-request", "Cookie": "a=PLANTED-jar", "X-Api-Key": "PLANTED-key", "X-Any": jwt,
			"Referer": "https://u:PLANTED-referer@h/?code=PLANTED-code",
		} {
			r.Header.Set(name, value)
		}
		resp, err := s.client.Do(r)
		if err != nil {
			t.Error(err)
			return
		}
		_ = resp.Body.Close()
	}
	go send("/held/" + jwt + "?token=PLANTED-query&password=PLANTED-password")
	s.until("the request is held", func() bool { return isClosed(held) })
	s.inbound("/in/"+jwt+"?%74oken=PLANTED-inbound", http.Header{"Authorization": {"Basic PLANTED-in"}, "Cookie": {"PLANTED-in"}})
	broken := strings.NewReplacer("PLANTED-answer", "PLANTED-line\\n", "prefix: \"Bearer", "prefixx: \"Bearer").Replace(secretRules)
	if source.Update(broken) == nil {
		t.Fatal("the broken rules are not")
	}
	s.until("the broken rules are rejected", func() bool { return s.mesh.Status().Rules.Err != nil })

	var all bytes.Buffer
	for _, path := range []string{
		"/", "/api/topology", "/api/topology?fleet=1", "/api/topology?format=dot", "/api/destinations", "/api/rules", "/api/certificates",
		"/api/requests", "/api/config", "/api/version",
		"/api/explain?host=reviews&path=/&header=x-api-key:other&header=authorization:other&header=cookie:other",
		"/api/explain?host=reviews&path=" + url.QueryEscape("/?access_token=other") + "&method=PATCH",
	} {
		w := s.page(path)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		look(t, path, w.Body.String())
		all.Write(w.Body.Bytes())
	}
	release()
	text := tap.until("/in/") + tap.until("/held/")
	look(t, "/api/tap", text)
	for _, key := range keyTexts(t, identity) {
		if strings.Contains(all.String()+text, key) {
			t.Error("the private key is shown")
		}
	}
	if !strings.Contains(all.String(), "/held/***") || !strings.Contains(text, `"Authorization":["***"]`) || !strings.Contains(text, "token=***") {
		t.Errorf("where a secret was, it is not said:\n%s\n%s", all.String(), text)
	}
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

var planted = regexp.MustCompile(`.{0,60}(PLANTED|PRIVATE KEY|UExBTlRFR|QTEFOVEVE).{0,30}`)

func look(t *testing.T, where, text string) {
	t.Helper()
	for _, found := range planted.FindAllString(text, -1) {
		t.Errorf("%s shows %q", where, found)
	}
}

// keyTexts are ways in which a private key may stand in a text.
func keyTexts(t *testing.T, c tlsid.Credential) (out []string) {
	t.Helper()
	key, ok := c.Certificate().PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("the key is a %T", c.Certificate().PrivateKey)
	}
	secret, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for offset := range 3 { // base64 depends on what stands before
		out = append(out, base64.StdEncoding.EncodeToString(secret[offset:])[:24])
	}
	return append(out, hex.EncodeToString(secret), new(big.Int).SetBytes(secret).String())
}

// TestASecretThatBeginsAnotherHidesIt: what is told of rules repeats both, in quotes.
func TestASecretThatBeginsAnotherHidesIt(t *testing.T) {
	var rule strings.Builder
	rule.WriteString(`{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: reviews}, spec: {hosts: [reviews], http: [`)
	for _, secret := range []string{"open", "open-PLANTED", `say \"PLANTED\"`, `say \"PLANTED\" twice`} {
		rule.WriteString(`{match: [{headers: {x-api-key: {exact: "` + secret + `"}}}], route: [{destination: {host: reviews}}]}, `)
	}
	rule.WriteString(`{route: [{destination: {host: reviews}}]}]}}`)
	s := under(t, rule.String())
	for range 20 { // in whatever order they are remembered
		w := s.page("/api/explain?host=reviews&header=x-api-key:none")
		if look(t, "/api/explain", w.Body.String()); w.Code != http.StatusOK || strings.Count(w.Body.String(), "***") < 4 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
}
