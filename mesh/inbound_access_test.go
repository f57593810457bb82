package mesh_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

const pageID = "cluster.local/ns/default/sa/productpage"

func authorization(name, spec string) string { return rule("AuthorizationPolicy", name, spec) }

// only lets one account in.
func only(principal string) string {
	return authorization("only", "{rules: [{from: [{source: {principals: ["+principal+"]}}]}]}")
}

func TestPoliciesDecideWhoComesIn(t *testing.T) {
	b := open(t, nil, hello)
	for _, c := range []struct {
		name      string
		documents []string
		want      map[string]int // by account; "" is plaintext
	}{
		{"no policy", nil, map[string]int{"productpage": 200, "ratings": 200, "": 200}},
		{"ALLOW", []string{only(pageID)}, map[string]int{"productpage": 200, "ratings": 403, "other/productpage": 403, "": 403}},
		{"ALLOW nothing", []string{authorization("none", "{}")}, map[string]int{"productpage": 403, "": 403}},
		{"ALLOW all", []string{authorization("all", "{rules: [{}]}")}, map[string]int{"productpage": 200, "": 200}},
		{"ALLOW of an empty list", []string{authorization("none", "{rules: []}")}, map[string]int{"productpage": 403, "": 403}},
		{"ALLOW of null", []string{authorization("none", "{rules: null}")}, map[string]int{"productpage": 403, "": 403}},
		{"ALLOW without a spec", []string{authorization("none", "")}, map[string]int{"productpage": 403, "": 403}},
		{"ALLOW of an empty rule beside nothing", []string{authorization("none", "{rules: []}"), authorization("all", "{rules: [{}]}")}, map[string]int{"productpage": 200, "": 200}},
		{"ALLOW of a rule whose lists are empty", []string{authorization("all", "{rules: [{from: [], to: [], when: []}]}")}, map[string]int{"productpage": 200, "": 200}},
		{"DENY all", []string{authorization("deny", "{action: DENY, rules: [{}]}")}, map[string]int{"productpage": 403, "": 403}},
		{"DENY one", []string{authorization("deny", "{action: DENY, rules: [{from: [{source: {namespaces: [other]}}]}]}")},
			map[string]int{"productpage": 200, "other/productpage": 403, "": 200}},
		{"DENY over ALLOW", []string{only(pageID), authorization("deny", "{action: DENY, rules: [{to: [{operation: {methods: [GET]}}]}]}")},
			map[string]int{"productpage": 403, "ratings": 403, "": 403}},
		{"require mutual TLS", []string{authorization("deny", "{action: DENY, rules: [{from: [{source: {notPrincipals: ['*']}}]}]}")},
			map[string]int{"productpage": 200, "": 403}},
		{"root namespace", []string{ruleIn("istio-system", "AuthorizationPolicy", "deny", "{}")}, map[string]int{"productpage": 403}},
		{"another namespace", []string{ruleIn("other", "AuthorizationPolicy", "deny", "{}")}, map[string]int{"productpage": 200}},
		{"another workload", []string{authorization("deny", "{selector: {matchLabels: {app: ratings}}}")}, map[string]int{"productpage": 200}},
		{"AUDIT decides nothing", []string{authorization("log", "{action: AUDIT, rules: [{}]}")}, map[string]int{"productpage": 200, "": 200}},
	} {
		b.obey(append(c.documents, "# "+c.name)...)
		for account, want := range c.want {
			for _, version := range versions {
				t.Run(c.name+", "+account+", "+version, func(t *testing.T) {
					g := b.stranger(version)
					if account != "" {
						g = b.guest(account, version)
					}
					g.t = t
					if a := g.get("/", want); want == 403 && a.body != "RBAC: access denied" {
						t.Errorf("the body is %q", a.body)
					}
				})
			}
		}
	}
}

func TestAChangedPolicyHoldsForTheNextRequestOfAnOpenConnection(t *testing.T) {
	b := open(t, nil, hello, only(pageID))
	for _, version := range versions {
		g := b.guest("productpage", version)
		g.get("/", 200)
		for range 20 {
			b.obey(only("cluster.local/ns/default/sa/ratings"))
			g.getAgain("/", 403)
			b.obey(only(pageID))
			g.getAgain("/", 200)
		}
	}
}

// While policies change under load, no request is lost, and each that begins after
// a change is held to the new policies.
func TestPoliciesChangeUnderLoad(t *testing.T) {
	b := open(t, nil, hello, only(pageID))
	var now atomic.Int64 // counts changes in thousands; the rest is the status to want, 0 amid a change
	now.Store(200)
	var load sync.WaitGroup
	stop := make(chan struct{})
	for _, version := range append(versions, versions...) {
		g := b.guest("productpage", version)
		load.Go(func() { g.press(stop, &now) })
	}
	for i := range int64(50) {
		now.Store(1000 * (2*i + 1))
		status := []int64{403, 200}[i%2]
		b.obey(only([]string{"cluster.local/ns/default/sa/nobody", pageID}[i%2]))
		now.Store(1000*(2*i+2) + status)
		b.guest("productpage", http1).get("/", int(status))
	}
	close(stop)
	load.Wait()
}

func (g *guest) press(stop <-chan struct{}, now *atomic.Int64) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		before := now.Load()
		a := g.send("GET", "/")
		want := int(before % 1000)
		if a.err != nil || want != 0 && now.Load() == before && a.status != want {
			g.t.Errorf("%d (%v), want %d", a.status, a.err, want)
		}
	}
}

func TestRefusalsAndRecordsSayWhichRuleDecided(t *testing.T) {
	b := open(t, nil, hello,
		authorization("no-private", "{action: DENY, rules: [{to: [{operation: {paths: [/nothing]}}]}, {to: [{operation: {paths: [/private]}}]}]}"),
		authorization("only", "{rules: [{from: [{source: {principals: ["+pageID+"]}}]}]}"),
		authorization("look", "{action: AUDIT, rules: [{to: [{operation: {paths: [/audited]}}]}]}"),
		strings.Replace(authorization("trial", "{action: DENY, rules: [{to: [{operation: {paths: [/tried]}}]}]}"),
			"namespace: default", "namespace: default, annotations: {istio.io/dry-run: 'true'}", 1))
	g, other := b.guest("productpage", http2), b.guest("ratings", http1)
	for _, c := range []struct {
		g          *guest
		path       string
		want       int
		info       mesh.AccessInfo
		unrecorded bool
	}{
		{g, "/private", 403, mesh.AccessInfo{Refused: true, Status: 403, Reason: "rbac_access_denied_matched_policy[ns[default]-policy[no-private]-rule[1]]", Policy: "default/no-private"}, false},
		{other, "/", 403, mesh.AccessInfo{Refused: true, Status: 403, Reason: "rbac_access_denied_matched_policy[none]"}, false},
		{g, "/audited", 200, mesh.AccessInfo{Audit: "ns[default]-policy[look]-rule[0]"}, false},
		{g, "/tried", 200, mesh.AccessInfo{Trial: "rbac_access_denied_matched_policy[ns[default]-policy[trial]-rule[0]]"}, false},
		{g, "/", 200, mesh.AccessInfo{}, true},
	} {
		b.diary.takeAccess()
		c.g.get(c.path, c.want)
		told := b.diary.takeAccess()
		if c.unrecorded && len(told) == 0 {
			continue
		}
		if len(told) != 1 {
			t.Fatalf("%s: told %v", c.path, told)
		}
		info, _ := c.g.own.Load()
		c.info.Peer, c.info.Method, c.info.Path, c.info.Source = info.ID().String(), "GET", c.path, "127.0.0.1"
		c.info.Host = b.address
		if told[0] != c.info {
			t.Errorf("%s: told %+v, want %+v", c.path, told[0], c.info)
		}
		if c.info.Reason != "" && !strings.Contains(b.diary.text(), `"reason":"`+c.info.Reason+`","policy":"`+c.info.Policy+`"`) {
			t.Errorf("the log does not say %s", c.info.Reason)
		}
	}
}

func TestGRPCCallersAreRefusedInTheirOwnTerms(t *testing.T) {
	b := open(t, nil, hello, authorization("none", "{}"))
	for contentType, grpc := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "application/grpc; x=y": true, "application/grpc-web": false, "text/plain": false,
	} {
		for _, version := range versions {
			g := b.guest("productpage", version)
			want := map[bool]int{true: 200, false: 403}[grpc]
			a := g.get("/", want, "Content-Type: "+contentType)
			if !grpc {
				continue
			}
			if a.header.Get("Grpc-Status") != "7" || a.header.Get("Grpc-Message") != "RBAC: access denied" || a.header.Get("Content-Type") != "application/grpc" || a.body != "" {
				t.Errorf("%s over %s: %v %q", contentType, version, a.header, a.body)
			}
		}
	}
}

// decider is an Authorizer by a function.
type decider func(ctx context.Context, r mesh.AccessRequest) error

func (d decider) Authorize(ctx context.Context, r mesh.AccessRequest) error { return d(ctx, r) }

func asks(name string, d decider) func(*mesh.Config) {
	return func(c *mesh.Config) { c.Authorizers = map[string]mesh.Authorizer{name: d} }
}

const custom = "{action: CUSTOM, provider: {name: opa}, rules: [{to: [{operation: {paths: [/asked/*]}}]}]}"

func TestAnAuthorizerDecidesForCustomPolicies(t *testing.T) {
	var seen atomic.Pointer[mesh.AccessRequest]
	b := open(t, asks("opa", func(_ context.Context, r mesh.AccessRequest) error {
		seen.Store(&r)
		if strings.HasSuffix(r.Path, "/yes") {
			return nil
		}
		return errors.New("it is a secret why")
	}), hello, authorization("ask", custom))
	g := b.guest("productpage", http2)
	g.get("/asked/yes?q=1", 200, "X-Team: blue")
	r := seen.Load()
	if r == nil || r.Peer.String() != "spiffe://"+pageID || r.Method != "GET" || r.Path != "/asked/yes" || r.RawQuery != "q=1" ||
		r.Header["X-Team"][0] != "blue" || r.Policy != "default/ask" || r.Rule != 0 || !r.Source.IsLoopback() || r.Host != b.address {
		t.Errorf("it was asked %+v", r)
	}
	if a := g.get("/asked/no", 403); a.body != "RBAC: access denied" || strings.Contains(a.body, "secret") {
		t.Errorf("the caller is told %q", a.body)
	}
	told := b.diary.takeAccess()
	if len(told) != 1 || told[0].Flag != "UAEX" || told[0].Policy != "default/ask" || !strings.Contains(told[0].Reason, "it is a secret why") {
		t.Errorf("told %+v", told)
	}
	seen.Store(nil)
	g.get("/free", 200)
	if seen.Load() != nil {
		t.Error("it was asked about a path that no policy asks about")
	}
}

// Who waits for an Authorizer waits no longer than the caller does, or than the
// caller said that it would.
func TestAnAuthorizerThatBlocksHoldsUpOnlyItsOwnRequest(t *testing.T) {
	asked, left := make(chan struct{}, 2), make(chan error, 2)
	b := open(t, asks("opa", func(ctx context.Context, _ mesh.AccessRequest) error {
		asked <- struct{}{}
		<-ctx.Done()
		left <- ctx.Err()
		return nil // a yes that comes too late is the handler's to deal with
	}), hello, authorization("ask", custom))
	g := b.guest("productpage", http2)
	g.get("/asked/7", 200, "X-Envoy-Expected-Rq-Timeout-Ms: 20")
	<-asked
	if err := <-left; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ended with %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, _ := http.NewRequestWithContext(ctx, "GET", g.url+"/asked/7", nil)
	gone := make(chan error, 1)
	go func() {
		_, err := g.client.Do(r)
		gone <- err
	}()
	<-asked // else the caller may be gone before anything is sent
	g.get("/free", 200)
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("the caller got %v", err)
	}
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

func TestAPolicyThatNobodyCanEnforceKeepsTheMeshFromStarting(t *testing.T) {
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		t.Fatal(err)
	}
	documents := authorization("ask", custom)
	_, err = mesh.New(t.Context(), mesh.Config{Rules: rules.Static(documents), Identity: ca.Workload("reviews")})
	var faults rules.Faults
	if !errors.As(err, &faults) || len(faults) != 1 {
		t.Fatalf("New says %v", err)
	}
	f := faults[0]
	if f.File != "static[0]" || f.Line != 4 || f.Kind != "AuthorizationPolicy" || f.Namespace != "default" || f.Name != "ask" ||
		f.Field != "spec.provider.name" || !strings.Contains(f.Message, `"opa"`) {
		t.Errorf("New says %+v", f)
	}
}

func TestAPolicyThatNobodyCanEnforceLeavesTheLastGoodRulesInForce(t *testing.T) {
	b := open(t, nil, hello, only(pageID))
	if err := b.rules.Update(authorization("ask", custom)); err != nil {
		t.Fatal(err)
	}
	if info := <-b.diary.rules; info.Err == nil || !strings.Contains(info.Err.Error(), "AuthorizationPolicy default/ask: spec.provider.name") {
		t.Errorf("told %+v", info)
	}
	if s := b.mesh.Status().Rules; s.Err == nil || s.Rejected != 1 || s.Objects != 1 {
		t.Errorf("the status is %+v", s)
	}
	b.guest("productpage", http1).get("/", 200)
	b.guest("ratings", http1).get("/", 403)
	b.obey(only("cluster.local/ns/default/sa/ratings"))
	b.guest("ratings", http1).get("/", 200)
}

// A deadline that the caller hands on bounds the handler too.
func TestTheDeadlineOfTheCallerHoldsBehindTheGuard(t *testing.T) {
	b := open(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		fmt.Fprint(w, r.Context().Err(), " ", mesh.Peer(r.Context()).ID.IsZero())
	}), only(pageID))
	for _, version := range versions {
		a := b.guest("productpage", version).get("/", 200, "X-Envoy-Expected-Rq-Timeout-Ms: 20")
		if a.body != "context deadline exceeded false" {
			t.Errorf("the handler saw %q", a.body)
		}
	}
}
