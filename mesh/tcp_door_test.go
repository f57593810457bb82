package mesh_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/tlsid"
)

func addrOf(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func tlsClient(c net.Conn, own *tlsid.Current) net.Conn {
	return tls.Client(c, tlsid.ClientConfig(own, tlsid.Expect{}))
}

func TestTheServerKnowsWhoCalls(t *testing.T) {
	callers := make(chan mesh.Caller, 2)
	moor(t, nil, func(c net.Conn) {
		callers <- mesh.PeerOf(wrapped{c})
		if got := mesh.Peer(mesh.WithPeer(context.Background(), c)); got != mesh.PeerOf(c) {
			t.Errorf("by its context it is %+v", got)
		}
		repeats(c)
	}, func(p *port) {
		secure, plain := p.call(), p.plain()
		for _, c := range []net.Conn{secure, plain} {
			if err := ask(c, "hello"); err != nil {
				p.Fatal(err)
			}
			_ = c.Close()
		}
		if got := <-callers; got.ID.String() != productpage || got.Address != "10.6.0.1:5555" {
			p.Errorf("got %+v", got)
		}
		if got := <-callers; !got.ID.IsZero() {
			p.Errorf("in the clear: got %+v", got)
		}
		if got := mesh.PeerOf(plain); got != (mesh.Caller{}) {
			p.Errorf("a connection of nobody's: %+v", got)
		}
	})
}

// wrapped is what users put around a connection.
type wrapped struct{ inner net.Conn }

func (w wrapped) NetConn() net.Conn                { return w.inner }
func (w wrapped) Read([]byte) (int, error)         { panic("not read") }
func (w wrapped) Write([]byte) (int, error)        { panic("not written") }
func (w wrapped) Close() error                     { return nil }
func (w wrapped) LocalAddr() net.Addr              { return nil }
func (w wrapped) RemoteAddr() net.Addr             { return nil }
func (w wrapped) SetDeadline(time.Time) error      { return nil }
func (w wrapped) SetReadDeadline(time.Time) error  { return nil }
func (w wrapped) SetWriteDeadline(time.Time) error { return nil }

// The modes of a port, to a client in the clear and to one of the mesh.
func TestRawPortsObeyPeerAuthentications(t *testing.T) {
	for mode, want := range map[string]struct{ plain, secure bool }{
		"STRICT": {false, true}, "PERMISSIVE": {true, true}, "DISABLE": {true, false},
	} {
		moor(t, []string{rule("PeerAuthentication", "ns", "{mtls: {mode: "+mode+"}}")}, repeats, func(p *port) {
			if got := lets(p.plain()); got != want.plain {
				p.Errorf("%s, in the clear: %t", mode, got)
			}
			if got := lets(p.as("anybody")); got != want.secure {
				p.Errorf("%s, by mutual TLS: %t", mode, got)
			}
		})
	}
}

// Who waits to be spoken to is, after a second where the port cannot know what he is;
// a peer of the mesh at once.
func TestAServerMaySpeakFirst(t *testing.T) {
	for mode, want := range map[string]time.Duration{"PERMISSIVE": time.Second, "DISABLE": 0} {
		moor(t, []string{rule("PeerAuthentication", "ns", "{mtls: {mode: "+mode+"}}")}, greets, func(p *port) {
			began, c := time.Now(), p.plain()
			greeting, err := bufio.NewReader(c).ReadString('\n')
			p.took(began, want)
			if err != nil || greeting != "220 \n" {
				p.Errorf("%s: got %q %v", mode, greeting, err)
			}
			_ = c.Close()
			if mode == "DISABLE" {
				return
			}
			began, c = time.Now(), p.call()
			greeting, err = bufio.NewReader(c).ReadString('\n')
			p.took(began, 0)
			if err != nil || greeting != "220 "+productpage+"\n" {
				p.Errorf("%s: got %q %v", mode, greeting, err)
			}
			_ = c.Close()
		})
	}
}

// Policies see of a connection what it shows itself. The rest of a rule allows
// nobody, and stops nobody less.
func TestPoliciesDecideAboutConnections(t *testing.T) {
	allow := func(rules string) string { return authorization("allow", "{rules: ["+rules+"]}") }
	deny := func(rules string) string { return authorization("deny", "{action: DENY, rules: ["+rules+"]}") }
	for _, c := range []struct {
		name                   string
		documents              []string
		page, other, plaintext bool
	}{
		{"no policy", nil, true, true, true},
		{"one account", []string{only(pageID)}, true, false, false},
		{"nobody", []string{authorization("none", "{}")}, false, false, false},
		{"everybody", []string{allow("{}")}, true, true, true},
		{"by port", []string{allow(`{to: [{operation: {ports: ["6379"]}}]}`)}, true, true, true},
		{"by another port", []string{allow(`{to: [{operation: {ports: ["80"]}}]}`)}, false, false, false},
		{"by address", []string{allow(`{from: [{source: {ipBlocks: [10.6.0.0/16]}}]}`)}, true, true, true},
		{"by another address", []string{allow(`{from: [{source: {ipBlocks: [10.5.0.0/16]}}]}`)}, false, false, false},
		{"by this end's address", []string{allow(`{when: [{key: destination.ip, values: [10.7.0.1]}]}`)}, true, true, true},
		{"by the server name", []string{allow(`{when: [{key: connection.sni, values: ["outbound_.6379_._.cache*"]}]}`)}, true, false, false},
		{"by namespace", []string{allow(`{from: [{source: {namespaces: [default]}}]}`)}, true, true, false},
		{"ALLOW by path allows nobody", []string{allow(`{to: [{operation: {paths: [/a]}}]}`)}, false, false, false},
		{"ALLOW by path and account allows nobody", []string{allow(`{from: [{source: {principals: [` + pageID + `]}}], to: [{operation: {methods: [GET]}}]}`)}, false, false, false},
		{"one rule of two", []string{allow(`{to: [{operation: {paths: [/a]}}]}, {from: [{source: {principals: [` + pageID + `]}}]}`)}, true, false, false},
		{"DENY by path denies all", []string{deny(`{to: [{operation: {paths: [/a]}}]}`)}, false, false, false},
		{"DENY by path and account denies the account", []string{deny(`{from: [{source: {principals: [` + pageID + `]}}], to: [{operation: {paths: [/a]}}]}`)}, false, true, true},
		{"DENY over ALLOW", []string{allow("{}"), deny(`{from: [{source: {principals: [` + pageID + `]}}]}`)}, false, true, true},
		{"mutual TLS alone", []string{deny(`{from: [{source: {notPrincipals: ["*"]}}]}`)}, true, true, false},
		{"AUDIT decides nothing", []string{authorization("log", "{action: AUDIT, rules: [{}]}")}, true, true, true},
	} {
		moor(t, c.documents, repeats, func(p *port) {
			if page, other, plaintext := lets(p.call()), lets(p.as("other")), lets(p.plain()); page != c.page || other != c.other || plaintext != c.plaintext {
				p.Errorf("%s: productpage %t, another %t, in the clear %t; want %t, %t, %t", c.name, page, other, plaintext, c.page, c.other, c.plaintext)
			}
		})
	}
}

type decision func(mesh.AccessRequest) error

func (d decision) Authorize(_ context.Context, r mesh.AccessRequest) error { return d(r) }

func TestAuthorizersDecideAboutConnections(t *testing.T) {
	custom := authorization("ask", "{action: CUSTOM, provider: {name: who}, rules: [{to: [{operation: {methods: [GET], ports: ['6379']}}]}]}")
	moorWith(t, []string{custom}, func(_ *port, c *mesh.Config) {
		c.Authorizers = map[string]mesh.Authorizer{"who": decision(func(r mesh.AccessRequest) error {
			if !r.TCP || r.Method != "" || r.Peer.String() != productpage {
				return errors.New("not you")
			}
			return nil
		})}
	}, repeats, func(p *port) {
		if !lets(p.call()) || lets(p.as("other")) {
			p.Error("it was not asked")
		}
		if got := told(&p.observed.journal, &p.observed.access); len(got) != 1 || got[0].Flag != "UAEX" || got[0].Policy != "default/ask" {
			p.Errorf("told %+v", got)
		}
	})
}

type verdict func(*authz.Request) error

func (v verdict) Check(r *authz.Request) error { return v(r) }

// Watch has no other word.
func (v verdict) Watch(ctx context.Context) iter.Seq2[authz.Checker, error] {
	return func(yield func(authz.Checker, error) bool) {
		if yield(v, nil) {
			<-ctx.Done()
		}
	}
}

func TestTheSourceOfAccessDecidesAboutConnections(t *testing.T) {
	moorWith(t, nil, func(_ *port, c *mesh.Config) {
		c.Access = verdict(func(r *authz.Request) error {
			if !r.TCP || r.Peer.String() != productpage {
				return errors.New("not you")
			}
			return nil
		})
	}, repeats, func(p *port) {
		if !lets(p.call()) || lets(p.as("other")) {
			p.Error("it was not asked")
		}
	})
}

func TestWhoIsDeniedIsToldOf(t *testing.T) {
	var log strings.Builder
	moorWith(t, []string{only("cluster.local/ns/default/sa/other")}, func(_ *port, c *mesh.Config) {
		c.Telemetry.AccessLog, c.Telemetry.LogRequests = slog.New(slog.NewTextHandler(&log, nil)), true
	}, repeats, func(p *port) {
		c := p.call()
		if _, err := c.Read(make([]byte, 1)); err == nil {
			p.Error("it was let in")
		}
		_ = c.Close()
		synctest.Wait()
		const reason = "rbac_access_denied_matched_policy[none]"
		if got := told(&p.observed.journal, &p.observed.access); len(got) != 1 || !got[0].Refused || got[0].Peer != productpage || got[0].Source != "10.6.0.1" || got[0].Reason != reason {
			p.Errorf("told %+v", got)
		}
		got := told(&p.observed.journal, &p.observed.connections)
		if len(got) != 1 || got[0].Direction != "inbound" || got[0].Address != harbour || got[0].Peer != productpage || got[0].Err == nil || got[0].Err.Error() != reason {
			p.Errorf("told %+v", got)
		}
		for _, want := range []string{"connection_termination_details=" + reason, "upstream_cluster=inbound|6379||", "downstream_remote_address=10.6.0.1:5555", "peer=" + productpage} {
			if !strings.Contains(log.String(), want) {
				p.Errorf("the log has no %q: %s", want, &log)
			}
		}
		wantCounts(p.T, p.host.series(p.scene, opened, "source_principal"), map[string]int64{productpage + " ": 1})
		wantCounts(p.T, p.host.series(p.scene, closed, "source_principal"), map[string]int64{productpage + " ": 1})
	})
}

// A handshake that takes its time holds up nobody, and not for ever.
func TestASlowHandshakeHoldsUpNobody(t *testing.T) {
	moor(t, []string{rule("PeerAuthentication", "ns", "{mtls: {mode: STRICT}}")}, repeats, func(p *port) {
		slow, began := p.plain(), time.Now()
		if _, err := slow.Write([]byte{0x16, 3, 1}); err != nil {
			p.Fatal(err)
		}
		for range 10 {
			if !lets(p.call()) {
				p.Fatal("not let in")
			}
		}
		p.took(began, 0)
		_, err := slow.Read(make([]byte, 1))
		p.took(began, 10*time.Second)
		if err == nil {
			p.Error("it was answered")
		}
	})
}

func TestAClosedPortLeavesNothingBehind(t *testing.T) {
	served := make(chan net.Conn, 1)
	moor(t, nil, func(c net.Conn) { served <- c }, func(p *port) {
		standing := p.call()
		s := <-served
		go repeats(s)
		slow := p.plain() // whose first byte is waited for
		if err := p.lis.Close(); err != nil {
			p.Error(err)
		}
		if _, err := p.lis.Accept(); !errors.Is(err, net.ErrClosed) {
			p.Errorf("got %v", err)
		}
		if _, err := slow.Read(make([]byte, 1)); err == nil {
			p.Error("who was not let in is still there")
		}
		if err := ask(standing, "still there"); err != nil { // who was, is
			p.Error(err)
		}
		_ = standing.Close()
	})
}

// Both ends tell of a connection, byte for byte; the server knows of its caller who
// has proven to be.
func TestBothEndsAgreeOnAConnection(t *testing.T) {
	moor(t, nil, func(c net.Conn) { echoes(c, '!') }, func(p *port) {
		c := p.call()
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			p.Fatal(err)
		}
		if err := ask(c, "hello"); err != nil {
			p.Fatal(err)
		}
		if got := p.mesh.Underway(); len(got) != 1 || got[0].Direction != "inbound" || got[0].Peer != productpage || got[0].BytesReceived != 5 {
			p.Errorf("under way: %+v", got)
		}
		_ = c.Close()
		synctest.Wait()
		common := map[string]string{
			"source_workload_namespace": "default", "source_principal": productpage,
			"destination_workload": "cache-v2", "destination_workload_namespace": "default", "destination_principal": accountOf("cache"),
			"destination_app": "cache", "destination_version": "v2", "destination_cluster": "unknown", "source_cluster": "unknown",
			"destination_canonical_service": "cache", "destination_canonical_revision": "v2",
			"destination_service": "cache.default.svc.cluster.local", "destination_service_name": "cache", "destination_service_namespace": "default",
			"request_protocol": "tcp", "response_flags": "-",
		}
		for metric, value := range map[string]int64{opened: 1, closed: 1, sent: 6, received: 5} {
			p.caller.only(p.scene, metric, value, with(common, map[string]string{
				"reporter": "source", "connection_security_policy": "unknown", "source_workload": "productpage-v1", "source_app": "productpage",
				"source_version": "v1", "source_canonical_service": "productpage", "source_canonical_revision": "v1",
			}))
			p.host.only(p.scene, metric, value, with(common, map[string]string{
				"reporter": "destination", "connection_security_policy": "mutual_tls", "source_workload": "unknown", "source_app": "unknown",
				"source_version": "unknown", "source_canonical_service": "unknown", "source_canonical_revision": "latest",
			}))
		}
	})
}

func with(a, b map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range []map[string]string{a, b} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}
