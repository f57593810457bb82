package mesh_test

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const upgradePolicy = "{http: {h2UpgradePolicy: UPGRADE}}"

func TestAnUpgradePolicySpeaksHTTP2(t *testing.T) {
	play(t, pooled(upgradePolicy), func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Second, host.says(200)))
		for _, a := range s.crowd(50) {
			if got := <-a; got.proto != "HTTP/2.0" || got.status != 200 {
				t.Errorf("got %v over %s", got, got.proto)
			}
		}
		for _, q := range host.questions() {
			if q.ProtoMajor != 2 || q.Host != "reviews" {
				t.Fatalf("the host was asked over %s as %s", q.Proto, q.Host)
			}
		}
		s.connections(2, 1) // one to find out, one for all
		if a := s.post("http://reviews/", bytesOf(100<<10)); a.status != 200 || a.proto != "HTTP/2.0" {
			t.Errorf("got %v over %s", a, a.proto)
		}
		s.connections(2, 1)
	})
}

// plainServer is an HTTP/1.1 server, behind an address of its own, that knows
// nothing else.
func (s *scene) plainServer(service, address string) {
	l := &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l)
	}()
	s.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	s.cables.serve(address, l.take)
	s.endpoints(service, address)
}

// listener accepts what take is given.
type listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *listener) take(c net.Conn) {
	select {
	case l.conns <- c:
	case <-l.closed:
		_ = c.Close()
	}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

func TestAnUpgradePolicySpeaksHTTP1WithAServerThatKnowsNothingElse(t *testing.T) {
	play(t, pooled(upgradePolicy), func(s *scene) {
		s.plainServer("reviews", "10.9.0.1:80")
		for range 10 {
			if a := s.get("http://reviews/"); a.body != "HTTP/1.1" || a.err != nil {
				t.Errorf("got %q %v", a.body, a.err)
			}
		}
		s.connections(2, 1)
	})
}

func TestAServerThatWaitsForMoreIsSpokenToInHTTP1(t *testing.T) {
	play(t, pooled("{tcp: {connectTimeout: 2s}, http: {h2UpgradePolicy: UPGRADE}}"), func(s *scene) {
		s.cables.serve("10.9.0.1:80", swallow)
		s.endpoints("reviews", "10.9.0.1:80")
		began := time.Now()
		s.want(s.getWithin(time.Second, "http://reviews/"), "timeout")
		s.want(s.getWithin(5*time.Second, "http://reviews/"), "timeout") // found out, and asked in vain
		s.took(began, 6*time.Second)
	})
}

// swallow reads and never answers.
func swallow(c net.Conn) {
	defer func() { _ = c.Close() }()
	_, _ = io.Copy(io.Discard, c)
}

func TestAServerThatIsReplacedIsAskedAnew(t *testing.T) {
	play(t, pooled(upgradePolicy), func(s *scene) {
		s.plainServer("reviews", "10.9.0.1:80")
		if a := s.get("http://reviews/"); a.body != "HTTP/1.1" {
			t.Fatalf("got %q %v", a.body, a.err)
		}
		newer := s.start("other", "newer")
		s.cables.serve("10.9.0.1:80", nil)
		s.endpoints("reviews", newer.Address())
		s.pass(0)
		if a := s.get("http://reviews/"); a.proto != "HTTP/2.0" {
			t.Errorf("got %v %v over %s", a, a.err, a.proto)
		}
	})
}

func TestTheCallersProtocolIsUsed(t *testing.T) {
	play(t, pooled("{http: {useClientProtocol: true}}"), func(s *scene) {
		host := s.start("reviews", "only")
		for _, major := range []int{1, 2, 1} {
			r := s.request("GET", "http://reviews/", "")
			r.ProtoMajor, r.ProtoMinor = major, 2-major
			s.want(s.do(r), "200")
			if q := host.questions(); q[len(q)-1].ProtoMajor != major {
				t.Errorf("asked over %s, the caller speaks HTTP/%d", q[len(q)-1].Proto, major)
			}
		}
	})
}

func TestByDefaultPlainTextIsHTTP1(t *testing.T) {
	play(t, nil, func(s *scene) {
		host := s.start("reviews", "only")
		s.want(s.get("http://reviews/"), "200")
		if got := host.questions()[0].Proto; got != "HTTP/1.1" {
			t.Errorf("got %s", got)
		}
	})
}

func TestAPortDeclaredHTTP2IsSpokenToInHTTP2(t *testing.T) {
	for _, protocol := range []string{"HTTP2", "GRPC"} {
		entry := `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: reviews}
spec:
  hosts: [reviews]
  ports: [{number: 80, name: rpc, protocol: ` + protocol + `}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1}]
`
		play(t, []string{entry}, func(s *scene) {
			host := s.start("elsewhere", "only")
			s.want(s.get("http://reviews/"), "200")
			if got := host.questions()[0].Proto; got != "HTTP/2.0" {
				t.Errorf("%s: got %s", protocol, got)
			}
			s.connections(1, 1)
		})
	}
}

// refuser is an HTTP/2 server that refuses the first streams, as one does that
// is about to stop, and then answers 200 without a body.
func refuser(refusals int) func(net.Conn) {
	return unwilling(refusals, func(stream uint32) []byte {
		return frameOf(frameReset, 0, stream, []byte{0, 0, 0, 7}) // REFUSED_STREAM
	})
}

// leaver goes away instead, and has seen no stream (RFC 9113 §6.8).
func leaver(refusals int) func(net.Conn) {
	return unwilling(refusals, func(uint32) []byte { return frameOf(frameGoAway, 0, 0, make([]byte, 8)) })
}

func unwilling(refusals int, refusal func(stream uint32) []byte) func(net.Conn) {
	var mu sync.Mutex
	return func(c net.Conn) {
		defer func() { _ = c.Close() }()
		if _, err := io.CopyN(io.Discard, c, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))); err != nil {
			return
		}
		out := make(chan []byte, 100)
		defer close(out)
		go func() {
			for frame := range out {
				_, _ = c.Write(frame)
			}
		}()
		out <- frameOf(frameSettings, 0, 0, nil)
		for {
			kind, flags, stream, err := readFrame(c)
			switch {
			case err != nil:
				return
			case kind == frameSettings && flags&flagAck == 0:
				out <- frameOf(frameSettings, flagAck, 0, nil)
			case kind == frameHeaders:
				mu.Lock()
				refusals--
				refuse := refusals >= 0
				mu.Unlock()
				if refuse {
					out <- refusal(stream)
				} else {
					out <- frameOf(frameHeaders, flagEndStream|flagEndHeaders, stream, []byte{0x88}) // :status 200
				}
			}
		}
	}
}

// Frames of HTTP/2 (RFC 9113 §4.1, §6).
const (
	frameHeaders  = 1
	frameReset    = 3
	frameSettings = 4
	frameGoAway   = 7

	flagAck        = 1
	flagEndStream  = 1
	flagEndHeaders = 4
)

func frameOf(kind, flags byte, stream uint32, payload []byte) []byte {
	n := len(payload)
	head := []byte{byte(n >> 16), byte(n >> 8), byte(n), kind, flags}
	return append(binary.BigEndian.AppendUint32(head, stream), payload...)
}

func readFrame(c net.Conn) (kind, flags byte, stream uint32, err error) {
	var head [9]byte
	if _, err = io.ReadFull(c, head[:]); err != nil {
		return 0, 0, 0, err
	}
	length := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
	_, err = io.CopyN(io.Discard, c, length)
	return head[3], head[4], binary.BigEndian.Uint32(head[5:]), err
}

func TestARefusedStreamIsRetriedWhateverTheMethod(t *testing.T) {
	for _, c := range []struct {
		retries  string
		refusals int
		want     string
	}{
		{"", 2, "200"}, {"", 3, "upstream closed without answer"}, // the built-in policy
		{"retries: {attempts: 1, retryOn: refused-stream}", 1, "200"},
		{"retries: {attempts: 1, retryOn: connect-failure}", 1, "upstream closed without answer"},
		{"retries: {attempts: 1, retryOn: reset}", 1, "200"},
	} {
		documents := []string{policy("reviews", "{connectionPool: "+upgradePolicy+"}"), route("reviews", c.retries)}
		if c.retries == "" {
			documents = documents[:1]
		}
		play(t, documents, func(s *scene) {
			s.cables.serve("10.9.0.1:80", refuser(c.refusals))
			s.endpoints("reviews", "10.9.0.1:80")
			a := s.upload("a body that can be read once", -1)
			s.want(a, c.want)
			if last := s.journal.last(); a.err != nil && last.Flags != "UR" && last.Flags != "UR,URX" {
				t.Errorf("%+v: flags %s, want UR", c, last.Flags)
			}
			s.client.CloseIdleConnections()
			synctest.Wait()
		})
	}
}

// Nothing but the rules' own tries is sent: net/http's would go on, for a minute with
// waits in between, or without end (https://go.dev/issue/52459).
func TestWhatAServerDoesNotTakeGoesElsewhere(t *testing.T) {
	for name, host := range map[string]func(refusals int) func(net.Conn){"a refused stream": refuser, "a server that goes": leaver} {
		t.Run(name, func(t *testing.T) {
			play(t, []string{policy("reviews", "{connectionPool: "+upgradePolicy+", loadBalancer: {simple: ROUND_ROBIN}}"),
				route("reviews", "retries: {attempts: 1, retryOn: refused-stream, backoff: 25ms}")}, func(s *scene) {
				s.cables.serve("10.9.0.1:80", host(100))
				s.cables.serve("10.9.0.2:80", refuser(0))
				s.endpoints("reviews", "10.9.0.1:80", "10.9.0.2:80")
				began := time.Now()
				for range 2 {
					s.want(s.get("http://reviews/"), "200")
				}
				if waited := time.Since(began); waited > 100*time.Millisecond {
					t.Errorf("it took %v", waited)
				}
				if dials, _ := s.cables.counts(); dials > 2*2*3 { // two at most for a try, and one to find out what a host speaks
					t.Errorf("%d connections", dials)
				}
				s.client.CloseIdleConnections()
				synctest.Wait()
			})
		})
	}
}

func TestConcurrentStreamsOfAConnectionAreLimited(t *testing.T) {
	play(t, pooled("{http: {h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 10}}"), func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Second, host.says(200)))
		began := time.Now()
		for _, a := range s.crowd(30) {
			s.want(<-a, "200")
		}
		s.took(began, time.Second)
		s.connections(4, 3)
	})
}
