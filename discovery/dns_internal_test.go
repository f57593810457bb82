package discovery

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// A script is a lookup whose answers follow each other, the last one for ever.
// It notes when it was asked.
type script struct {
	answers []scripted
	began   time.Time
	at      []time.Duration
}

type scripted struct {
	ttl ttl
	err error
}

func (s *script) addresses(context.Context, string) ([]netip.Addr, ttl, error) {
	a := s.answers[min(len(s.at), len(s.answers)-1)]
	s.at = append(s.at, time.Since(s.began))
	if a.err != nil {
		return nil, ttl{}, a.err
	}
	return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, a.ttl, nil
}

func (s *script) services(context.Context, string) ([]*net.SRV, ttl, error) {
	return nil, ttl{}, errors.New("not asked for")
}

// watchFor watches for d of paused time and counts what it was told.
func watchFor(d time.Duration, config DNSConfig, s *script) (values, errs int) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	s.began = time.Now()
	for _, err := range newDNS(config.withDefaults(), s).Watch(ctx, Service{Host: "api.example.test"}) {
		if err != nil {
			errs++
		} else {
			values++
		}
	}
	return values, errs
}

func lasts(d time.Duration) scripted { return scripted{ttl: ttl{true, d}} }

func TestAnAnswerIsKeptForItsTTLWithinTheBounds(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer scripted
		config DNSConfig
		want   time.Duration
	}{
		{"its own", lasts(30 * time.Second), DNSConfig{}, 30 * time.Second},
		{"zero", lasts(0), DNSConfig{}, time.Second},
		{"a day", lasts(24 * time.Hour), DNSConfig{}, 5 * time.Minute},
		{"none", scripted{}, DNSConfig{}, 5 * time.Second},
		{"lower bound", lasts(time.Second), DNSConfig{MinTTL: time.Minute}, time.Minute},
		{"upper bound", lasts(time.Minute), DNSConfig{MaxTTL: 2 * time.Second}, 2 * time.Second},
		{"default", scripted{}, DNSConfig{DefaultTTL: time.Minute}, time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{answers: []scripted{test.answer}}
				values, errs := watchFor(2*test.want+1, test.config, s)
				if len(s.at) != 3 || s.at[1] != test.want || s.at[2] != 2*test.want {
					t.Errorf("asked at %v, want each %v", s.at, test.want)
				}
				if values != 1 || errs != 0 {
					t.Errorf("told %d values and %d errors; the same answer is told once", values, errs)
				}
			})
		})
	}
}

func TestFailuresBackOffToAMinuteAndSuccessResets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := scripted{err: &net.DNSError{Err: "server misbehaving", IsTemporary: true}}
		s := &script{answers: []scripted{broken}}
		_, errs := watchFor(24*time.Hour, DNSConfig{}, s)
		ceiling := time.Second
		for i := 1; i < len(s.at); i++ {
			if gap := s.at[i] - s.at[i-1]; gap > ceiling {
				t.Errorf("wait %d was %v, more than %v", i, gap, ceiling)
			}
			ceiling = min(2*ceiling, time.Minute)
		}
		// Full jitter: half a minute on average.
		if n := len(s.at); n < 2000 || n > 4000 || errs != n {
			t.Errorf("asked %d times in a day, told %d errors", n, errs)
		}
	})
	p := pace{config: &DNSConfig{MaxBackoff: time.Minute}, ceiling: time.Minute}
	if p.next(ttl{}, nil); p.ceiling != 0 {
		t.Error("an answer does not reset the back-off")
	}
}

func TestLogicalIsOneEndpointThatNoChangeReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{answers: []scripted{lasts(time.Second)}}
		dns := newDNS(DNSConfig{Logical: true}.withDefaults(), s)
		for endpoints, err := range dns.Watch(t.Context(), Service{Host: "api.example.test", Port: 443}) {
			if err != nil || len(endpoints) != 1 || endpoints[0].Address != "api.example.test:443" {
				t.Errorf("got %v, %v", endpoints, err)
			}
			break
		}
	})
}

// pack makes a message that answers question 7.
func pack(t *testing.T, h dnsmessage.Header, ttls ...uint32) []byte {
	t.Helper()
	name := dnsmessage.MustNewName("a.test.")
	m := dnsmessage.Message{Header: h, Questions: []dnsmessage.Question{{Name: name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}}}
	for _, ttl := range ttls {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: name, Class: dnsmessage.ClassINET, TTL: ttl},
			Body:   &dnsmessage.AResource{A: [4]byte{10, 0, 0, 1}},
		})
	}
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func TestTheLeastTTLOfAnAnswerCounts(t *testing.T) {
	good := dnsmessage.Header{ID: 7, Response: true}
	for _, test := range []struct {
		name   string
		header dnsmessage.Header
		ttls   []uint32
		want   ttl
	}{
		{"one", good, []uint32{30}, ttl{true, 30 * time.Second}},
		{"several", good, []uint32{30, 5, 60}, ttl{true, 5 * time.Second}},
		{"negative", good, []uint32{1 << 31}, ttl{true, 0}},
		{"no answers", good, nil, ttl{}},
		{"another question's", dnsmessage.Header{ID: 8, Response: true}, []uint32{30}, ttl{}},
		{"no response", dnsmessage.Header{ID: 7}, []uint32{30}, ttl{}},
		{"a failure", dnsmessage.Header{ID: 7, Response: true, RCode: dnsmessage.RCodeServerFailure}, []uint32{30}, ttl{}},
		{"cut off", dnsmessage.Header{ID: 7, Response: true, Truncated: true}, []uint32{30}, ttl{}},
	} {
		if got := answerTTL(pack(t, test.header, test.ttls...), 7); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}

// The messages come in pieces of any size.
func TestATTLIsReadOffAStream(t *testing.T) {
	message := pack(t, dnsmessage.Header{ID: 7, Response: true}, 30)
	framed := append([]byte{0, byte(len(message))}, message...)
	for size := 1; size <= len(framed); size++ {
		here, there := net.Pipe()
		go func() {
			defer there.Close()
			_, _ = there.Read(make([]byte, 4))
			_, _ = there.Write(framed)
		}()
		var q question
		conn, _ := q.adopt(here)
		_, _ = conn.Write([]byte{0, 2, 0, 7})
		for buf := make([]byte, size); ; {
			if _, err := conn.Read(buf); err != nil {
				break
			}
		}
		q.close()
		if got := q.ttl(); got != (ttl{true, 30 * time.Second}) {
			t.Errorf("in pieces of %d: got %v", size, got)
		}
	}
}

func FuzzAnswerTTL(f *testing.F) {
	f.Add([]byte{}, uint16(0))
	f.Add([]byte{0, 7, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0}, uint16(7))
	f.Fuzz(func(t *testing.T, message []byte, id uint16) {
		if got := answerTTL(message, id); got.Duration < 0 || !got.known && got.Duration != 0 {
			t.Errorf("got %v", got)
		}
	})
}

// Who is named in the hosts file needs no server, also where the search list is kept
// out.
func TestTheHostsFileIsReadForShortNames(t *testing.T) {
	r := &resolver{server: "127.0.0.1:1", network: "ip4"}
	want, _, _ := r.addresses(t.Context(), "localhost")
	got, _, err := r.addresses(t.Context(), "localhost.")
	if !slices.Equal(got, want) {
		t.Errorf("got %v (%v), want %v as without the dot", got, err, want)
	}
}
