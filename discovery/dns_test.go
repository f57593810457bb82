package discovery_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/discovery/discoverytest"
)

func newDNS(t *testing.T, config discovery.DNSConfig) *discovery.DNS {
	t.Helper()
	dns, err := discovery.NewDNS(config)
	if err != nil {
		t.Fatal(err)
	}
	return dns
}

func addrs(text ...string) (a []netip.Addr) {
	for _, s := range text {
		a = append(a, netip.MustParseAddr(s))
	}
	return a
}

var external = discovery.Service{Host: "api.example.test", Name: "api.example.test", Port: 9080}

func TestDNSConforms(t *testing.T) {
	discoverytest.Run(t, func(t *testing.T) discoverytest.Harness {
		server := newDNSServer(t)
		return discoverytest.Harness{
			Source: newDNS(t, discovery.DNSConfig{
				Server: server.address,
				MinTTL: 5 * time.Millisecond, MaxTTL: 5 * time.Millisecond, MaxBackoff: 5 * time.Millisecond,
			}),
			Set: func(host string, endpoints []discovery.Endpoint) {
				r := dnsRecords{ttl: 1}
				for _, e := range endpoints {
					r.addrs = append(r.addrs, netip.MustParseAddrPort(e.Address).Addr())
				}
				server.set(host, &r)
			},
			Remove: func(host string) { server.set(host, nil) },
			Break:  func() { server.edit(func() { server.rcode = dnsmessage.RCodeServerFailure }) },
			Heal:   func() { server.edit(func() { server.rcode = dnsmessage.RCodeSuccess }) },
		}
	})
}

func TestDNSAnswersAreSortedAndTakeTheServicesPort(t *testing.T) {
	server := newDNSServer(t)
	server.set("api.example.test", &dnsRecords{addrs: addrs("10.0.0.3", "10.0.0.1", "10.0.0.2", "10.0.0.1")})
	dns := newDNS(t, discovery.DNSConfig{Server: server.address})
	got, err := firstAnswer(t, dns, external)
	if want := discovery.Addresses("10.0.0.1:9080", "10.0.0.2:9080", "10.0.0.3:9080"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	noPort := external
	noPort.Port = 0
	got, err = firstAnswer(t, dns, noPort)
	if err != nil || got[0].Address != "10.0.0.1:80" {
		t.Errorf("without a port: got %v, %v", got, err)
	}
}

func TestDNSAsksForTheFamiliesWanted(t *testing.T) {
	server := newDNSServer(t)
	server.set("api.example.test", &dnsRecords{addrs: addrs("10.0.0.1", "2001:db8::1")})
	for network, want := range map[string]string{"ip4": "10.0.0.1:9080", "ip6": "[2001:db8::1]:9080"} {
		got, err := firstAnswer(t, newDNS(t, discovery.DNSConfig{Server: server.address, Network: network}), external)
		if err != nil || len(got) != 1 || got[0].Address != want {
			t.Errorf("%s: got %v, %v", network, got, err)
		}
	}
}

// The default is an hour, so it is the records that have the new ones asked for.
func TestRecordsAreAskedForAgainWhenTheirTTLHasPassed(t *testing.T) {
	for name, prepare := range map[string]func(*dnsServer, *dnsRecords){
		"over UDP":      func(*dnsServer, *dnsRecords) {},
		"over TCP":      func(s *dnsServer, _ *dnsRecords) { s.edit(func() { s.long = true }) },
		"through CNAME": func(_ *dnsServer, r *dnsRecords) { r.alias = "alias.example.test." },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newDNSServer(t)
			records := dnsRecords{ttl: 1, addrs: addrs("10.0.0.1")}
			prepare(server, &records)
			server.set("api.example.test", &records)
			dns := newDNS(t, discovery.DNSConfig{Server: server.address, MaxTTL: time.Hour, DefaultTTL: time.Hour})
			want := discovery.Addresses("10.0.0.1:9080")
			began := time.Now()
			for got, err := range dns.Watch(t.Context(), external) {
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("got %v, %v, want %v", got, err, want)
				}
				if want[0].Address == "10.0.0.2:9080" {
					break
				}
				records.addrs = addrs("10.0.0.2")
				server.set("api.example.test", &records)
				want = discovery.Addresses("10.0.0.2:9080")
			}
			if took := time.Since(began); took < time.Second {
				t.Errorf("asked again after %v", took)
			}
		})
	}
}

func TestATruncatedAnswerIsReadOverTCP(t *testing.T) {
	server := newDNSServer(t)
	server.edit(func() { server.long = true })
	var many []netip.Addr
	for i := range 200 {
		many = append(many, netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}))
	}
	server.set("api.example.test", &dnsRecords{ttl: 60, addrs: many})
	got, err := firstAnswer(t, newDNS(t, discovery.DNSConfig{Server: server.address}), external)
	if err != nil || len(got) != 200 {
		t.Errorf("got %d endpoints, %v", len(got), err)
	}
	if !slices.Contains(server.questions(), "api.example.test. TypeA tcp") {
		t.Errorf("asked %v", server.questions())
	}
}

// Each of these servers fails: that is trouble, never an unknown service.
func TestDNSTroubleIsNotAnUnknownService(t *testing.T) {
	for name, fail := range map[string]func(*dnsServer){
		"SERVFAIL": func(s *dnsServer) { s.rcode = dnsmessage.RCodeServerFailure },
		"REFUSED":  func(s *dnsServer) { s.rcode = dnsmessage.RCodeRefused },
		"silence":  func(s *dnsServer) { s.mute = true },
	} {
		t.Run(name, func(t *testing.T) {
			server := newDNSServer(t)
			server.edit(func() { fail(server) })
			dns := newDNS(t, discovery.DNSConfig{Server: server.address, Timeout: 200 * time.Millisecond})
			_, err := firstAnswer(t, dns, external)
			if err == nil || errors.Is(err, discovery.ErrUnknown) || !strings.Contains(err.Error(), "api.example.test") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNoSuchNameAndNoAddressAreUnknown(t *testing.T) {
	server := newDNSServer(t)
	dns := newDNS(t, discovery.DNSConfig{Server: server.address})
	if _, err := firstAnswer(t, dns, external); !errors.Is(err, discovery.ErrUnknown) {
		t.Errorf("NXDOMAIN: got %v", err)
	}
	server.set("api.example.test", &dnsRecords{})
	if _, err := firstAnswer(t, dns, external); !errors.Is(err, discovery.ErrUnknown) {
		t.Errorf("no address: got %v", err)
	}
}

func TestAClusterLocalHostIsAskedForWholeThenShort(t *testing.T) {
	server := newDNSServer(t)
	server.set("reviews", &dnsRecords{addrs: addrs("10.0.0.1")})
	s := discovery.Service{Host: "reviews.shop.svc.cluster.local", Name: "reviews", Namespace: "shop", Port: 80}
	dns := newDNS(t, discovery.DNSConfig{Server: server.address, Network: "ip4"})
	got, err := firstAnswer(t, dns, s)
	if err != nil || len(got) != 1 || got[0].Address != "10.0.0.1:80" {
		t.Errorf("got %v, %v", got, err)
	}
	want := []string{"reviews.shop.svc.cluster.local. TypeA udp", "reviews. TypeA udp"}
	if asked := server.questions(); !slices.Equal(asked, want) {
		t.Errorf("asked %v, want %v", asked, want)
	}
}

// Off the network too: no server is asked.
func TestLocalhostIsThisMachineInAnyNamespace(t *testing.T) {
	s := discovery.Service{Host: "localhost.shop.svc.cluster.local", Name: "localhost", Namespace: "shop", Port: 80}
	got, err := firstAnswer(t, newDNS(t, discovery.DNSConfig{Server: "127.0.0.1:1"}), s)
	if err != nil || len(got) != 1 || got[0].Address != "localhost:80" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestIPsAndLocalhostNeedNoServer(t *testing.T) {
	server := newDNSServer(t)
	dns := newDNS(t, discovery.DNSConfig{Server: server.address})
	for host, want := range map[string]string{
		"10.1.2.3": "10.1.2.3:9080", "2001:db8::1": "[2001:db8::1]:9080",
		"localhost": "localhost:9080", "app.localhost": "app.localhost:9080",
	} {
		got, err := firstAnswer(t, dns, discovery.Service{Host: host, Name: host, Port: 9080})
		if err != nil || len(got) != 1 || got[0].Address != want {
			t.Errorf("%s: got %v, %v", host, got, err)
		}
	}
	if asked := server.questions(); len(asked) > 0 {
		t.Errorf("asked %v", asked)
	}
}

func srv(target string, port, priority, weight uint16) dnsmessage.SRVResource {
	return dnsmessage.SRVResource{Target: dnsmessage.MustNewName(target), Port: port, Priority: priority, Weight: weight}
}

func TestSRVRecordsGivePortsAndWeightsOfTheFirstPriorityThatIsThere(t *testing.T) {
	server := newDNSServer(t)
	server.set("_http._tcp.api.example.test", &dnsRecords{ttl: 60, srv: []dnsmessage.SRVResource{
		srv("gone.example.test.", 8080, 0, 1),
		srv("b.example.test.", 8081, 1, 30),
		srv("a.example.test.", 8080, 1, 10),
		srv("a.example.test.", 8080, 1, 5),
		srv("reserve.example.test.", 8080, 2, 1),
	}})
	server.set("a.example.test", &dnsRecords{ttl: 60, addrs: addrs("10.0.0.1", "10.0.0.2")})
	server.set("b.example.test", &dnsRecords{ttl: 60, addrs: addrs("10.0.0.3")})
	server.set("reserve.example.test", &dnsRecords{ttl: 60, addrs: addrs("10.0.0.9")})
	want := []discovery.Endpoint{
		{Address: "10.0.0.1:8080", Weight: 15}, {Address: "10.0.0.2:8080", Weight: 15}, {Address: "10.0.0.3:8081", Weight: 30},
	}
	byPrefix := newDNS(t, discovery.DNSConfig{Server: server.address, SRV: "_http._tcp"})
	got, err := firstAnswer(t, byPrefix, external)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("by prefix: got %v, %v", got, err)
	}
	byHost := newDNS(t, discovery.DNSConfig{Server: server.address})
	got, err = firstAnswer(t, byHost, discovery.Service{Host: "_http._tcp.api.example.test"})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("by host: got %v, %v", got, err)
	}
}

func TestAnSRVTargetOfOneDotMeansNobody(t *testing.T) {
	server := newDNSServer(t)
	server.set("_http._tcp.api.example.test", &dnsRecords{srv: []dnsmessage.SRVResource{srv(".", 0, 0, 0)}})
	got, err := firstAnswer(t, newDNS(t, discovery.DNSConfig{Server: server.address, SRV: "_http._tcp"}), external)
	if len(got) != 0 || err != nil {
		t.Errorf("got %v, %v", got, err)
	}
}

// Registries have such records of services that they know no port of.
func TestAnSRVTargetThatIsNoNameIsLeftOut(t *testing.T) {
	server := newDNSServer(t)
	server.set("_http._tcp.api.example.test", &dnsRecords{srv: []dnsmessage.SRVResource{
		srv("no name.example.test.", 80, 0, 1), srv("a.example.test.", 80, 0, 1),
	}})
	server.set("a.example.test", &dnsRecords{addrs: addrs("10.0.0.1")})
	got, err := firstAnswer(t, newDNS(t, discovery.DNSConfig{Server: server.address, SRV: "_http._tcp"}), external)
	if err != nil || len(got) != 1 || got[0].Address != "10.0.0.1:80" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestAnSRVRecordWithoutAPortHasTheServices(t *testing.T) {
	server := newDNSServer(t)
	server.set("_http._tcp.api.example.test", &dnsRecords{srv: []dnsmessage.SRVResource{srv("a.example.test.", 0, 0, 1)}})
	server.set("a.example.test", &dnsRecords{addrs: addrs("10.0.0.1")})
	got, err := firstAnswer(t, newDNS(t, discovery.DNSConfig{Server: server.address, SRV: "_http._tcp"}), external)
	if err != nil || len(got) != 1 || got[0].Address != fmt.Sprintf("10.0.0.1:%d", external.Port) {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestWatchersOfOneServiceShareItsQuestions(t *testing.T) {
	server := newDNSServer(t)
	server.set("api.example.test", &dnsRecords{ttl: 60, addrs: addrs("10.0.0.1")})
	dns := newDNS(t, discovery.DNSConfig{Server: server.address, Network: "ip4"})
	for _, err := range dns.Watch(t.Context(), external) {
		if _, again := firstAnswer(t, dns, external); again != nil || err != nil {
			t.Errorf("got %v, %v", err, again)
		}
		break
	}
	if asked := server.questions(); len(asked) != 1 {
		t.Errorf("asked %v", asked)
	}
}

func TestAWatchEndsWhileItsQuestionIsUnanswered(t *testing.T) {
	server := newDNSServer(t)
	server.edit(func() { server.mute = true })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for _, err := range newDNS(t, discovery.DNSConfig{Server: server.address}).Watch(ctx, external) {
		t.Errorf("yielded %v", err)
	}
}

func TestNewDNSNamesAllThatIsWrong(t *testing.T) {
	_, err := discovery.NewDNS(discovery.DNSConfig{
		Server: "localhost", Network: "tcp", SRV: "http", Logical: true,
		MinTTL: time.Hour, Timeout: -1,
	})
	for _, want := range []string{`server "localhost"`, `network "tcp"`, `SRV "http"`, "logical", "minimum TTL 1h0m0s: larger than the maximum, 5m0s", "timeout -1ns"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %s in: %v", want, err)
		}
	}
}

func ExampleNewStatic() {
	known, err := discovery.NewStatic(map[string][]discovery.Endpoint{
		"reviews": discovery.Addresses("127.0.0.1:9081", "127.0.0.1:9082"),
	})
	if err != nil {
		panic(err)
	}
	dns, err := discovery.NewDNS(discovery.DNSConfig{})
	if err != nil {
		panic(err)
	}
	source := discovery.Hold(discovery.First(known, dns), 0)

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	reviews := discovery.Service{Host: "reviews", Name: "reviews", Port: 9080}
	for endpoints, err := range source.Watch(ctx, reviews) {
		if err != nil {
			panic(err)
		}
		for _, e := range endpoints {
			fmt.Println(e.Address)
		}
		cancel() // a real watcher goes on
	}
	// Output:
	// 127.0.0.1:9081
	// 127.0.0.1:9082
}
