package spiffe_test

import (
	"context"
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc/codes"

	"github.com/inmesh-go/inmesh/tlsid"
	"github.com/inmesh-go/inmesh/tlsid/spiffe"
)

const (
	productpage = "spiffe://cluster.local/ns/default/sa/productpage"
	reviews     = "spiffe://cluster.local/ns/default/sa/reviews"
)

// A watcher pulls what a Source yields, one by one.
type watcher struct {
	t    *testing.T
	next func() (tlsid.Credential, error, bool)
	stop func()
}

func watchAgent(t *testing.T, a *agent) *watcher {
	t.Helper()
	return watch(t, spiffe.Config{Addr: a.addr()})
}

func watch(t *testing.T, config spiffe.Config) *watcher {
	t.Helper()
	source, err := spiffe.NewSource(config)
	if err != nil {
		t.Fatal(err)
	}
	return pull(t, t.Context(), source)
}

// pull is for at most ten seconds, after which the sequence ends, and with it
// the test.
func pull(t *testing.T, ctx context.Context, source tlsid.Source) *watcher {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	next, stop := iter.Pull2(source.Watch(ctx))
	t.Cleanup(func() { stop(); cancel() })
	return &watcher{t: t, next: next, stop: stop}
}

// credential is what comes next, errors left out.
func (w *watcher) credential() tlsid.Credential {
	w.t.Helper()
	for {
		c, err, ok := w.next()
		if !ok {
			w.t.Fatal("the sequence ended, or was silent for too long")
		}
		if err == nil {
			return c
		}
	}
}

// error is what comes next, which must be one.
func (w *watcher) error() error {
	w.t.Helper()
	c, err, ok := w.next()
	if !ok || err == nil {
		w.t.Fatalf("got %v, %t, want an error", c, ok)
	}
	if !c.IsZero() {
		w.t.Errorf("a credential came with the error %v", err)
	}
	return err
}

// response is an agent's answer of one identity.
func response(a *authority, l leaf) *workload.X509SVIDResponse {
	return &workload.X509SVIDResponse{Svids: []*workload.X509SVID{svid(a, l)}}
}

func svid(a *authority, l leaf) *workload.X509SVID {
	id := ""
	if len(l.chain[0].URIs) > 0 {
		id = l.chain[0].URIs[0].String()
	}
	return &workload.X509SVID{SpiffeId: id, X509Svid: der(l.chain...), X509SvidKey: pkcs8(a.t, l.key), Bundle: der(a.cert)}
}

func TestYieldsTheCredentialAndEachRotation(t *testing.T) {
	agent, root := newAgent(t), newAuthority(t)
	w := watchAgent(t, agent)
	for range 5 {
		l := root.intermediate().leaf(productpage)
		agent.send(response(root, l))
		got := w.credential()
		if got.ID().String() != productpage {
			t.Errorf("ID %s, want %s", got.ID(), productpage)
		}
		if chain := got.Certificate().Certificate; len(chain) != 2 || string(chain[0]) != string(l.chain[0].Raw) {
			t.Errorf("a chain of %d certificates, or not the newest", len(chain))
		}
	}
}

func TestBundlesAreOfEachAnswerWhole(t *testing.T) {
	agent, root, foreign := newAgent(t), newAuthority(t), newAuthority(t)
	full := response(root, root.leaf(productpage))
	full.FederatedBundles = map[string][]byte{"spiffe://partner.example": der(foreign.cert), "spiffe://closed.example": nil}
	w := watchAgent(t, agent)
	for _, step := range []struct {
		send *workload.X509SVIDResponse
		want string
	}{
		{full, "roots{closed.example: 0, cluster.local: 1, partner.example: 1}"},
		{response(root, root.leaf(productpage)), "roots{cluster.local: 1}"},
	} {
		agent.send(step.send)
		if got := w.credential().Bundles().String(); got != step.want {
			t.Errorf("bundles %s, want %s", got, step.want)
		}
	}
}

func TestTakesTheFirstIdentityThatFits(t *testing.T) {
	agent, root := newAgent(t), newAuthority(t)
	internal, external, other := svid(root, root.leaf(productpage)), svid(root, root.leaf(productpage)), svid(root, root.leaf(reviews))
	internal.Hint, external.Hint, other.Hint = "internal", "external", "other"
	agent.send(&workload.X509SVIDResponse{Svids: []*workload.X509SVID{internal, external, other}})
	for name, test := range map[string]struct {
		config spiffe.Config
		want   *workload.X509SVID
	}{
		"of all":           {spiffe.Config{}, internal},
		"by ID":            {spiffe.Config{ID: mustID(t, reviews)}, other},
		"by hint":          {spiffe.Config{Hint: "external"}, external},
		"by ID, of two":    {spiffe.Config{ID: mustID(t, productpage)}, internal},
		"by ID and hint":   {spiffe.Config{ID: mustID(t, productpage), Hint: "external"}, external},
		"by the only hint": {spiffe.Config{Hint: "other"}, other},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.Addr = agent.addr()
			got := watch(t, test.config).credential()
			if string(got.Certificate().Certificate[0]) != string(test.want.X509Svid) {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestAnIdentityThatIsMissingIsNamedWithThoseThatAreThere(t *testing.T) {
	agent, root := newAgent(t), newAuthority(t)
	agent.send(response(root, root.leaf(productpage)))
	for want, config := range map[string]spiffe.Config{
		`no identity ` + reviews + ` among the agent's ` + productpage + ` (hint "")`:                   {ID: mustID(t, reviews)},
		`no identity with hint "x" among the agent's ` + productpage + ` (hint "")`:                     {Hint: "x"},
		`no identity ` + productpage + ` with hint "x" among the agent's ` + productpage + ` (hint "")`: {ID: mustID(t, productpage), Hint: "x"},
	} {
		config.Addr = agent.addr()
		if err := watch(t, config).error(); !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
}

func TestRefusalsAreNewsAndTheWatchGoesOn(t *testing.T) {
	agent, root := newAgent(t), newAuthority(t)
	for _, code := range []codes.Code{
		codes.PermissionDenied, codes.Unavailable, codes.Unimplemented, codes.Internal, codes.DeadlineExceeded,
		codes.InvalidArgument, codes.Canceled, // after which go-spiffe alone would give up
	} {
		t.Run(code.String(), func(t *testing.T) {
			agent.refuse(code, "for a reason")
			w := watchAgent(t, agent)
			err := w.error()
			if want := code == codes.PermissionDenied; errors.Is(err, spiffe.ErrDenied) != want {
				t.Errorf("%v is ErrDenied: %t, want %t", err, !want, want)
			}
			if !strings.Contains(err.Error(), agent.addr()) || !strings.Contains(err.Error(), "for a reason") {
				t.Errorf("%q names neither the agent nor the reason", err)
			}
			agent.send(response(root, root.leaf(productpage)))
			w.credential()
		})
	}
}

func TestADeniedWorkloadIsToldAndGetsItsIdentityBack(t *testing.T) {
	agent, root := newAgent(t), newAuthority(t)
	agent.send(response(root, root.leaf(productpage)))
	w := watchAgent(t, agent)
	w.credential()
	agent.refuse(codes.PermissionDenied, "no identity issued")
	if err := w.error(); !errors.Is(err, spiffe.ErrDenied) {
		t.Errorf("got %v, want ErrDenied", err)
	}
	agent.send(response(root, root.leaf(reviews)))
	if got := w.credential().ID().String(); got != reviews {
		t.Errorf("got %s, want %s", got, reviews)
	}
}

func TestABrokenStreamIsTakenUpAgain(t *testing.T) {
	agent, root := newAgent(t), newAuthority(t)
	agent.send(response(root, root.leaf(productpage)))
	w := watchAgent(t, agent)
	w.credential()
	for range 3 {
		agent.stop()
		_ = w.error()
		agent.start()
		w.credential()
	}
}

func TestAStreamThatEndsInGoodOrderIsTakenUpAgain(t *testing.T) {
	agent, root := newAgent(t), newAuthority(t)
	agent.sendAndEnd(response(root, root.leaf(productpage)))
	w := watchAgent(t, agent)
	for range 3 {
		w.credential()
		if err := w.error(); !strings.Contains(err.Error(), "the agent ended the stream") {
			t.Errorf("got %v", err)
		}
	}
}

func TestAnAbsentAgentIsNewsUntilItComes(t *testing.T) {
	agent, root := newAgent(t), newAuthority(t)
	agent.stop()
	w := watchAgent(t, agent)
	for range 3 {
		if err := w.error(); !strings.Contains(err.Error(), "connect") {
			t.Errorf("got %v, want that it cannot connect", err)
		}
	}
	agent.send(response(root, root.leaf(productpage)))
	agent.start()
	w.credential()
}

func TestEndsWithItsContextAndSaysNothing(t *testing.T) {
	agent, root := newAgent(t), newAuthority(t)
	agent.send(response(root, root.leaf(productpage)))
	source, err := spiffe.NewSource(spiffe.Config{Addr: agent.addr()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := pull(t, ctx, source)
	w.credential()
	cancel()
	if c, err, ok := w.next(); ok {
		t.Errorf("after its end came %v, %v", c, err)
	}
}

func TestAContextThatHasEndedYieldsNothing(t *testing.T) {
	source, err := spiffe.NewSource(spiffe.Config{Addr: "unix:///nowhere"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for c, err := range source.Watch(ctx) {
		t.Errorf("got %v, %v", c, err)
	}
}

// Whoever leaves the loop leaves no goroutine either: TestMain looks.
func TestALoopMayBeLeftAtAValueAndAtAnError(t *testing.T) {
	agent, root := newAgent(t), newAuthority(t)
	source, err := spiffe.NewSource(spiffe.Config{Addr: agent.addr()})
	if err != nil {
		t.Fatal(err)
	}
	for range source.Watch(t.Context()) {
		agent.send(response(root, root.leaf(productpage)))
		break
	}
	for c, err := range source.Watch(t.Context()) {
		if err != nil || c.IsZero() {
			t.Errorf("got %v, %v", c, err)
		}
		break
	}
}

func TestWatchesAreIndependent(t *testing.T) {
	agent, root := newAgent(t), newAuthority(t)
	agent.send(response(root, root.leaf(productpage)))
	source, err := spiffe.NewSource(spiffe.Config{Addr: agent.addr()})
	if err != nil {
		t.Fatal(err)
	}
	one, other := pull(t, t.Context(), source), pull(t, t.Context(), source)
	one.credential()
	other.credential()
	one.stop()
	agent.send(response(root, root.leaf(reviews)))
	if got := other.credential().ID().String(); got != reviews {
		t.Errorf("got %s, want %s", got, reviews)
	}
}

func mustID(t *testing.T, text string) tlsid.ID {
	t.Helper()
	id, err := tlsid.ParseID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
