package consul_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
	"github.com/inmesh-go/inmesh/tlsid"
	"github.com/inmesh-go/inmesh/tlsid/consulca"
)

// intend writes the intentions about a service.
func intend(t *testing.T, client *api.Client, service string, sources ...*api.SourceIntention) {
	t.Helper()
	intendEntry(t, client, &api.ServiceIntentionsConfigEntry{Kind: api.ServiceIntentions, Name: service, Sources: sources})
}

// intendEntry tries until it may: a new cluster takes no intentions for a moment.
func intendEntry(t *testing.T, client *api.Client, entry *api.ServiceIntentionsConfigEntry) {
	t.Helper()
	var err error
	eventually(t, "the intentions are written", func() bool {
		_, _, err = client.ConfigEntries().Set(entry, nil)
		return err == nil || !strings.Contains(err.Error(), "read only while being upgraded")
	})
	must(t, err)
}

// speakHTTP says so of a service, which permissions need.
func speakHTTP(t *testing.T, client *api.Client, service string) {
	t.Helper()
	_, _, err := client.ConfigEntries().Set(&api.ServiceConfigEntry{Kind: api.ServiceDefaults, Name: service, Protocol: "http"}, nil)
	must(t, err)
}

func allow(name string) *api.SourceIntention {
	return &api.SourceIntention{Name: name, Action: api.IntentionActionAllow}
}

func deny(name string) *api.SourceIntention {
	return &api.SourceIntention{Name: name, Action: api.IntentionActionDeny}
}

func permit(name string, permissions ...*api.IntentionPermission) *api.SourceIntention {
	return &api.SourceIntention{Name: name, Permissions: permissions}
}

func on(action api.IntentionAction, http api.IntentionHTTPPermission) *api.IntentionPermission {
	return &api.IntentionPermission{Action: action, HTTP: &http}
}

func newGuard(t *testing.T, client *api.Client, c consul.GuardConfig) *consul.Guard {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	guard, err := consul.NewGuard(ctx, client, c)
	must(t, err)
	t.Cleanup(guard.Close)
	return guard
}

// eventually checks until the answer is as wanted.
func eventually(t *testing.T, what string, is func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not so: %s", what)
		}
	}
	return time.Since(start)
}

// someone is a caller of the cluster.
func someone(t *testing.T, trust, service string) tlsid.ID {
	t.Helper()
	id, err := tlsid.ParseID("spiffe://" + trust + "/ns/default/dc/dc2/svc/" + service)
	must(t, err)
	return id
}

func trustDomain(t *testing.T, client *api.Client) string {
	t.Helper()
	roots, _, err := client.Agent().ConnectCARoots(nil)
	must(t, err)
	return roots.TrustDomain
}

func TestIntentionsDecideAsConsulDoes(t *testing.T) {
	t.Parallel()
	client := dial(t, consultest.Start(t, consultest.Config{Settings: map[string]any{"default_intention_policy": "deny"}}))
	trust := trustDomain(t, client)
	guard := newGuard(t, client, consul.GuardConfig{Service: "books"})
	const in, out = api.IntentionActionAllow, api.IntentionActionDeny
	speakHTTP(t, client, "books")
	intend(t, client, "*", allow("everywhere"), deny("nowhere"))
	intend(t, client, "books",
		allow("web"), deny("mallory"), allow("nowhere"),
		permit("reader",
			on(out, api.IntentionHTTPPermission{PathPrefix: "/books/secret"}),
			on(in, api.IntentionHTTPPermission{PathPrefix: "/books", Methods: []string{"GET"}}),
			on(in, api.IntentionHTTPPermission{PathRegex: "/lists/[0-9]+", Header: []api.IntentionHTTPHeaderPermission{{Name: "x-team", Exact: "Books", IgnoreCase: true}}}),
			on(in, api.IntentionHTTPPermission{PathExact: "/open", Header: []api.IntentionHTTPHeaderPermission{{Name: "x-block", Present: true, Invert: true}}}),
		),
	)
	eventually(t, "the intentions are in force", func() bool {
		return guard.Check(&consul.Call{Peer: someone(t, trust, "web")}) == nil && guard.Check(&consul.Call{Peer: someone(t, trust, "everywhere")}) == nil
	})
	team := map[string][]string{"X-Team": {"books"}}
	for name, c := range map[string]struct {
		call consul.Call
		want bool
	}{
		"allowed by name":                     {consul.Call{Peer: someone(t, trust, "web")}, true},
		"denied by name":                      {consul.Call{Peer: someone(t, trust, "mallory")}, false},
		"not named":                           {consul.Call{Peer: someone(t, trust, "stranger")}, false},
		"allowed for all services":            {consul.Call{Peer: someone(t, trust, "everywhere")}, true},
		"allowed here, denied for all":        {consul.Call{Peer: someone(t, trust, "nowhere")}, true},
		"plaintext":                           {consul.Call{}, false},
		"another cluster":                     {consul.Call{Peer: someone(t, "other.consul", "web")}, false},
		"a path":                              {consul.Call{Peer: someone(t, trust, "reader"), Method: "GET", Path: "/books/7"}, true},
		"another method":                      {consul.Call{Peer: someone(t, trust, "reader"), Method: "POST", Path: "/books/7"}, false},
		"a path denied before":                {consul.Call{Peer: someone(t, trust, "reader"), Method: "GET", Path: "/books/secret/7"}, false},
		"a path denied before, escaped":       {consul.Call{Peer: someone(t, trust, "reader"), Method: "GET", Path: "/books/%73ecret"}, false},
		"a path that is allowed only decoded": {consul.Call{Peer: someone(t, trust, "reader"), Method: "GET", Path: "/%62ooks"}, false},
		"an expression":                       {consul.Call{Peer: someone(t, trust, "reader"), Path: "/lists/12", Header: team}, true},
		"half an expression":                  {consul.Call{Peer: someone(t, trust, "reader"), Path: "/lists/12/x", Header: team}, false},
		"without the header":                  {consul.Call{Peer: someone(t, trust, "reader"), Path: "/lists/12"}, false},
		"one header of two":                   {consul.Call{Peer: someone(t, trust, "reader"), Path: "/lists/12", Header: map[string][]string{"X-Team": {"books", "x"}}}, false},
		"gRPC's keys":                         {consul.Call{Peer: someone(t, trust, "reader"), Path: "/lists/12", Header: map[string][]string{"x-team": {"BOOKS"}}}, true},
		"a header that must not be":           {consul.Call{Peer: someone(t, trust, "reader"), Path: "/open"}, true},
		"a header that must not be, and is":   {consul.Call{Peer: someone(t, trust, "reader"), Path: "/open", Header: map[string][]string{"X-Block": {""}}}, false},
		"no permission":                       {consul.Call{Peer: someone(t, trust, "reader"), Path: "/else"}, false},
	} {
		err := guard.Check(&c.call)
		if (err == nil) != c.want || err != nil && !errors.Is(err, consul.ErrDenied) {
			t.Errorf("%s: got %v, want allowed: %t", name, err, c.want)
		}
	}
}

func TestIntentionsThatCannotBeDecidedStartNoGuard(t *testing.T) {
	t.Parallel()
	client := dial(t, consultest.Start(t, consultest.Config{}))
	speakHTTP(t, client, "books")
	_, _, err := client.ConfigEntries().Set(&api.JWTProviderConfigEntry{
		Kind: api.JWTProvider, Name: "okta", JSONWebKeySet: &api.JSONWebKeySet{Local: &api.LocalJWKS{JWKS: "eyJrZXlzIjpbXX0="}},
	}, nil)
	must(t, err)
	intendEntry(t, client, &api.ServiceIntentionsConfigEntry{
		Kind: api.ServiceIntentions, Name: "books", Sources: []*api.SourceIntention{allow("web")},
		JWT: &api.IntentionJWTRequirement{Providers: []*api.IntentionJWTProvider{{Name: "okta"}}},
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	report := func(err error) {
		if strings.Contains(err.Error(), "token (JWT)") {
			cancel()
		}
	}
	if _, err := consul.NewGuard(ctx, client, consul.GuardConfig{Service: "books", Report: report}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "token (JWT)") {
		t.Errorf("got %v", err)
	}
}

// A server and a client with identities of Consul's CA; an intention denies, and
// the next request is refused.
func TestAnIntentionThatDeniesRefusesTheNextRequest(t *testing.T) {
	t.Parallel()
	agent := consultest.Start(t, consultest.Config{})
	client := dial(t, agent)
	web, books := identity(t, client, "web"), identity(t, client, "books")
	guard := newGuard(t, client, consul.GuardConfig{Service: "books"})

	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := tlsid.PeerOf(*r.TLS)
		if err == nil {
			err = guard.Check(&consul.Call{Peer: peer, Method: r.Method, Path: r.URL.EscapedPath(), Header: r.Header})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	}))
	server.Listener = tls.NewListener(server.Listener, tlsid.ServerConfig(books, tlsid.Accept{}))
	server.Start()
	defer server.Close()
	transport := &http.Transport{TLSClientConfig: tlsid.ClientConfig(web, tlsid.Expect{})}
	defer transport.CloseIdleConnections()
	status := func() int {
		resp, err := (&http.Client{Transport: transport}).Get("https://" + server.Listener.Addr().String())
		must(t, err)
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := status(); got != http.StatusOK {
		t.Fatalf("before the intention: %d", got)
	}
	intend(t, client, "books", deny("web"))
	took := eventually(t, "the request is refused", func() bool { return status() == http.StatusForbidden })
	t.Logf("refused after %v", took)
	agent.Kill()
	if got := status(); got != http.StatusForbidden {
		t.Errorf("without the agent: %d", got)
	}
}

// identity follows a service's identity until the test ends, and returns once it
// is there.
func identity(t *testing.T, client *api.Client, service string) *tlsid.Current {
	t.Helper()
	current := new(tlsid.Current)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		for c, err := range consulca.New(client, service).Watch(ctx) {
			if err == nil {
				current.Store(c)
			}
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	eventually(t, service+" has an identity", func() bool { _, ok := current.Load(); return ok })
	return current
}
