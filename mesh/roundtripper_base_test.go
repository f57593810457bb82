package mesh_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
)

// What is not the mesh's goes through the base itself, with all that it knows.
func TestABaseKeepsItsProtocols(t *testing.T) {
	c := carry(t, services{}, false, mesh.Config{})
	base := new(http.Transport)
	base.RegisterProtocol("own", canned{})
	resp := mustAnswer(t, c.mesh.Transport(base), get(t.Context(), "own://anything/").Request)
	_ = resp.Body.Close()
}

// The settings of a base that is in use are read while it sets itself up.
func TestABaseSetsItselfUpWhileItsSettingsAreRead(t *testing.T) {
	before := http.DefaultTransport
	defer func() { http.DefaultTransport = before }()
	http.DefaultTransport = nobody{}
	for range 50 {
		c := carry(t, services{"play": {"127.0.0.1:1"}}, false, mesh.Config{})
		var all sync.WaitGroup
		for _, url := range []string{"https://play/", "http://127.0.0.1:1/"} {
			all.Go(func() { _, _ = c.RoundTrip(get(t.Context(), url).Request) })
		}
		all.Wait()
	}
}

// A base connects as it does without a mesh, unless Config says how to.
func TestABaseDialsItsWay(t *testing.T) {
	s := listen(t, whoIs())
	for name, test := range map[string]struct{ base, config *phoneBook }{
		"the base's":   {base: &phoneBook{}},
		"the Config's": {base: nil, config: &phoneBook{}},
		"both":         {base: &phoneBook{}, config: &phoneBook{}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg, base, asked := mesh.Config{}, new(http.Transport), test.base
			if test.base != nil {
				base.DialContext = test.base.dial
			}
			if test.config != nil {
				cfg.DialContext, asked = test.config.dial, test.config
			}
			asked.real = map[string]string{"[2001:db8::7]:80": s.Listener.Addr().String()}
			c := carry(t, services{"play": {"[2001:db8::7]:80"}}, false, cfg)
			transport := c.mesh.Transport(base)
			if got := textOf(t, mustAnswer(t, transport, get(t.Context(), "http://play/path").Request)); got != "play /path HTTP/1.1" {
				t.Errorf("got %q", got)
			}
			if len(asked.asked) != 1 {
				t.Errorf("dialled %q", asked.asked)
			}
			transport.CloseIdleConnections()
		})
	}
}

// bareAnswer has nothing but a status, as those of people's own fakes.
type bareAnswer struct{}

func (bareAnswer) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Request: r}, nil
}

func TestABasesAnswerMayHaveNoHeaders(t *testing.T) {
	for name, rule := range map[string]string{
		"X-Set":      playRule(`[{route: [{destination: {host: play}}], headers: {response: {set: {x-set: "yes"}}}}]`),
		"X-Add":      playRule(`[{route: [{destination: {host: play}}], headers: {response: {add: {x-add: "yes"}}}}]`),
		"Set-Cookie": policy("play", "{loadBalancer: {consistentHash: {httpCookie: {name: user, ttl: 1h}}}}"),
	} {
		c := carry(t, services{"play": {"127.0.0.1:1"}}, false, mesh.Config{}, rule)
		resp := mustAnswer(t, c.mesh.Transport(bareAnswer{}), get(t.Context(), "http://play/").Request)
		if resp.Header.Get(name) == "" {
			t.Errorf("%v has no %s", resp.Header, name)
		}
		_ = resp.Body.Close()
	}
}

type nothing struct{}

func (nothing) RoundTrip(*http.Request) (*http.Response, error) { return nil, nil }

// http.Client has an error for a base that breaks its contract, not a panic.
func TestABaseThatReturnsNothingFails(t *testing.T) {
	c := carry(t, services{"play": {"127.0.0.1:1"}}, false, mesh.Config{})
	mustFail(t, c.mesh.Transport(nothing{}), get(t.Context(), "http://play/").Request, mesh.ErrReset)
}

// heedless takes no notice of who waits for it.
type heedless struct{}

func (heedless) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return bareAnswer{}.RoundTrip(r)
}

func TestABasesAnswerThatComesTooLateMayHaveNoBody(t *testing.T) {
	c := carry(t, services{"play": {"127.0.0.1:1"}}, false, mesh.Config{}, playRule(`[{route: [{destination: {host: play}}], timeout: 1ms}]`))
	mustFail(t, c.mesh.Transport(heedless{}), get(t.Context(), "http://play/").Request, mesh.ErrTimeout)
}
