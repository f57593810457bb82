package consul_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/internal/consultest"
	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/tlsid"
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

// A voice is the last word of a source of access, and its trouble.
type voice struct {
	last atomic.Pointer[authz.Checker]
	errs chan error
}

func (v *voice) Check(r authz.Request) error { return (*v.last.Load()).Check(&r) }

// listen follows a source until the test ends.
func listen(t *testing.T, source authz.Source) *voice {
	v := &voice{errs: make(chan error, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		for c, err := range source.Watch(ctx) {
			if err != nil {
				v.errs <- err
				continue
			}
			v.last.Store(&c)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return v
}

// heard is listen, and waits for the first word.
func heard(t *testing.T, source authz.Source) *voice {
	v := listen(t, source)
	eventually(t, "the intentions are known", func() bool { return v.last.Load() != nil })
	return v
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
	guard := heard(t, consul.Intentions(client, "books"))
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
		return guard.Check(authz.Request{Peer: someone(t, trust, "web")}) == nil && guard.Check(authz.Request{Peer: someone(t, trust, "everywhere")}) == nil
	})
	team := map[string][]string{"X-Team": {"books"}}
	reader := func(path string, header map[string][]string) authz.Request {
		p, err := authz.Base.Path(path)
		must(t, err)
		return authz.Request{Peer: someone(t, trust, "reader"), Method: "GET", Path: p, Header: header}
	}
	grpc := reader("/lists/12", map[string][]string{"x-team": {"BOOKS"}})
	grpc.LowerKeys = true
	post := reader("/books/7", nil)
	post.Method = "POST"
	blind := reader("/books/7", nil)
	blind.TCP = true
	for name, c := range map[string]struct {
		call authz.Request
		want bool
	}{
		"allowed by name":                     {authz.Request{Peer: someone(t, trust, "web")}, true},
		"denied by name":                      {authz.Request{Peer: someone(t, trust, "mallory")}, false},
		"not named":                           {authz.Request{Peer: someone(t, trust, "stranger")}, false},
		"allowed for all services":            {authz.Request{Peer: someone(t, trust, "everywhere")}, true},
		"allowed here, denied for all":        {authz.Request{Peer: someone(t, trust, "nowhere")}, true},
		"plaintext":                           {authz.Request{}, false},
		"another cluster":                     {authz.Request{Peer: someone(t, "other.consul", "web")}, false},
		"a path":                              {reader("/books/7", nil), true},
		"another method":                      {post, false},
		"a path denied before":                {reader("/books/secret/7", nil), false},
		"a path denied before, escaped":       {reader("/books/%73ecret", nil), false},
		"a path that is allowed only decoded": {reader("/%62ooks", nil), false},
		"an expression":                       {reader("/lists/12", team), true},
		"half an expression":                  {reader("/lists/12/x", team), false},
		"without the header":                  {reader("/lists/12", nil), false},
		"one header of two":                   {reader("/lists/12", map[string][]string{"X-Team": {"books", "x"}}), false},
		"gRPC's keys":                         {grpc, true},
		"a header that must not be":           {reader("/open", nil), true},
		"a header that must not be, and is":   {reader("/open", map[string][]string{"X-Block": {""}}), false},
		"a path that some read as denied":     {reader("/books//secret", nil), false},
		"a connection, with permissions":      {blind, false},
		"no permission":                       {reader("/else", nil), false},
	} {
		err := guard.Check(c.call)
		if (err == nil) != c.want || err != nil && !errors.Is(err, consul.ErrDenied) {
			t.Errorf("%s: got %v, want allowed: %t", name, err, c.want)
		}
	}
}

// What intentions ask of tokens is not decided here: such intentions are trouble
// from the start, and later leave what held before.
func TestIntentionsThatCannotBeDecidedAreTrouble(t *testing.T) {
	t.Parallel()
	client := dial(t, consultest.Start(t, consultest.Config{}))
	trust := trustDomain(t, client)
	speakHTTP(t, client, "books")
	_, _, err := client.ConfigEntries().Set(&api.JWTProviderConfigEntry{
		Kind: api.JWTProvider, Name: "okta", JSONWebKeySet: &api.JSONWebKeySet{Local: &api.LocalJWKS{JWKS: "eyJrZXlzIjpbXX0="}},
	}, nil)
	must(t, err)
	intend(t, client, "books", deny("web"))
	before := heard(t, consul.Intentions(client, "books"))
	intendEntry(t, client, &api.ServiceIntentionsConfigEntry{
		Kind: api.ServiceIntentions, Name: "books", Sources: []*api.SourceIntention{allow("web")},
		JWT: &api.IntentionJWTRequirement{Providers: []*api.IntentionJWTProvider{{Name: "okta"}}},
	})
	after := listen(t, consul.Intentions(client, "books"))
	for _, v := range []*voice{before, after} {
		awaitTrouble(t, v, "token (JWT)")
	}
	if after.last.Load() != nil || before.Check(authz.Request{Peer: someone(t, trust, "web")}) == nil {
		t.Error("intentions that cannot be decided have decided something")
	}
}

// Envoy shows the authority to whoever asks for the header Host; net/http and gRPC
// keep it elsewhere than among the headers, and some headers nowhere.
func TestIntentionsSeeTheHeadersThatServersKeepApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		say := func(header string) {
			s.say("/v1/connect/intentions/match", scripted{body: map[string]any{"reviews": []*api.Intention{
				{SourceName: "web", Precedence: 9, Permissions: []*api.IntentionPermission{
					on(api.IntentionActionDeny, api.IntentionHTTPPermission{Header: []api.IntentionHTTPHeaderPermission{{Name: header, Prefix: "admin"}}}),
				}},
			}}})
		}
		say("Host")
		v := s.intentionsOfReviews(t, api.IntentionActionAllow)
		for host, want := range map[string]bool{"reviews:9080": true, "admin.example": false, "": true} {
			for _, lower := range []bool{false, true} {
				err := v.Check(authz.Request{Peer: someone(t, "1-2.consul", "web"), Host: host, LowerKeys: lower})
				if (err == nil) != want {
					t.Errorf("host %q: got %v, want allowed: %t", host, err, want)
				}
			}
		}
		for _, name := range []string{"Transfer-Encoding", "Trailer"} {
			say(name)
			awaitTrouble(t, v, "the server shows it to nobody")
		}
	})
}

// A value is the one that it is without the spaces around it, which net/http leaves
// there in HTTP/2.
func TestIntentionsSeeThroughPaddedHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		role := func(action api.IntentionAction, invert bool) *api.IntentionPermission {
			return on(action, api.IntentionHTTPPermission{Header: []api.IntentionHTTPHeaderPermission{{Name: "x-role", Exact: "admin", Invert: invert}}})
		}
		s := newScript()
		s.say("/v1/connect/intentions/match", scripted{body: map[string]any{"reviews": []*api.Intention{
			{SourceName: "denied", Precedence: 9, Permissions: []*api.IntentionPermission{role(api.IntentionActionDeny, false), on(api.IntentionActionAllow, api.IntentionHTTPPermission{PathPrefix: "/"})}},
			{SourceName: "others", Precedence: 9, Permissions: []*api.IntentionPermission{role(api.IntentionActionAllow, true)}},
			{SourceName: "admins", Precedence: 9, Permissions: []*api.IntentionPermission{role(api.IntentionActionAllow, false)}},
		}}})
		v := s.intentionsOfReviews(t, api.IntentionActionDeny)
		path, err := authz.Base.Path("/")
		must(t, err)
		for who, let := range map[string]string{"denied": "user", "others": "user", "admins": "admin"} {
			for _, value := range []string{"user", "admin", " admin", "admin\t", "\t admin "} {
				r := authz.Request{Peer: someone(t, "1-2.consul", who), Path: path, Header: map[string][]string{"X-Role": {value}}}
				if err := v.Check(r); (err == nil) != (value == let) {
					t.Errorf("%s as %q: %v", who, value, err)
				}
			}
		}
	})
}

// Intentions are asked about each request, by name and by what it asks for.
func TestARequestThatIntentionsLetInCostsNoAllocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.say("/v1/connect/intentions/match", scripted{body: map[string]any{"reviews": []*api.Intention{
			{SourceName: "web", Action: api.IntentionActionAllow, Precedence: 9},
			{SourceName: "page", Precedence: 9, Permissions: []*api.IntentionPermission{
				on(api.IntentionActionDeny, api.IntentionHTTPPermission{PathPrefix: "/admin"}),
				on(api.IntentionActionAllow, api.IntentionHTTPPermission{PathPrefix: "/reviews", Methods: []string{"GET"}, Header: []api.IntentionHTTPHeaderPermission{{Name: "x-team", Exact: "books"}}}),
			}},
		}}})
		v := s.intentionsOfReviews(t, api.IntentionActionDeny)
		path, err := authz.Base.Path("/reviews/7")
		must(t, err)
		for _, name := range []string{"web", "page"} {
			r := &authz.Request{Peer: someone(t, "1-2.consul", name), Method: "GET", Path: path, Header: map[string][]string{"X-Team": {"books"}}}
			intentions := *v.last.Load()
			if n := testing.AllocsPerRun(100, func() { must(t, intentions.Check(r)) }); n != 0 {
				t.Errorf("%s: %v allocations", name, n)
			}
		}
	})
}

// intentionsOfReviews listens to those that have been said, where nothing else is known
// of the service.
func (s *script) intentionsOfReviews(t *testing.T, otherwise api.IntentionAction) *voice {
	t.Helper()
	s.say("/v1/agent/connect/ca/roots", scripted{body: api.CARootList{TrustDomain: "1-2.consul"}})
	for _, name := range []string{"reviews", "*"} {
		s.say("/v1/config/service-intentions/"+name, scripted{status: 404})
	}
	v := listen(t, consul.NewIntentions(s.client(t), consul.IntentionsConfig{Service: "reviews", Default: otherwise}))
	synctest.Wait()
	return v
}

func awaitTrouble(t *testing.T, v *voice, text string) {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case err := <-v.errs:
			if strings.Contains(err.Error(), text) {
				return
			}
		case <-late:
			t.Fatalf("waited for trouble that says %q", text)
		}
	}
}
