package mesh_test

import (
	"cmp"
	"io"
	"net/http"
	"strings"
	"testing"
)

// What is said of a connection of HTTP/1.1 is not for HTTP/2, and net/http refuses
// some of it: a rule that chooses the protocol must not break who passes it on.
func TestFieldsOfAConnectionAreNotSentInHTTP2(t *testing.T) {
	play(t, pooled(upgradePolicy), func(s *scene) {
		host := s.start("reviews", "only")
		for _, fields := range [][]string{
			{"Connection", "x-own"}, {"Connection", "keep-alive, x-own"}, {"Connection", "keep-alive", "Connection", "x-own"},
			{"Transfer-Encoding", "gzip"}, {"Te", "gzip"}, {"Te", "gzip", "Te", "trailers"}, {"Te", "gzip, Trailers"}, {"Te", "trailers"},
		} {
			fields = append(fields, "X-Own", "kept")
			if a := s.get("http://reviews/", fields...); a.status != 200 || a.proto != "HTTP/2.0" {
				t.Errorf("%q: got %v over %s", fields, a, a.proto)
				continue
			}
			asked := host.questions()
			sent := asked[len(asked)-1].Header
			if sent.Get("X-Own") != "kept" || sent["Connection"] != nil || trailers(fields) != strings.Join(sent["Te"], "; ") {
				t.Errorf("%q: the host got %v", fields, sent)
			}
		}
		s.connections(2, 1) // one to find out, one for all
		if a := s.get("http://reviews/", "Connection", "x-own, close"); a.status != 200 {
			t.Errorf("got %v", a)
		}
		s.connections(2, 0)
	})
}

// trailers is what HTTP/2 can say of those that are welcome.
func trailers(fields []string) string {
	if strings.Contains(strings.ToLower(strings.Join(fields, " ")), "trailers") {
		return "trailers"
	}
	return ""
}

// HTTP/2 has no Upgrade (RFC 9113 §8.6): a WebSocket takes HTTP/1.1, whatever the port
// is declared to speak.
func TestAnUpgradeTakesHTTP1(t *testing.T) {
	client := policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1}, connectionPool: {http: {useClientProtocol: true}}}")
	for name, rule := range map[string]string{"declared": declaredHTTP2, "the caller's": client} {
		t.Run(name, func(t *testing.T) {
			play(t, []string{rule, unretried("reviews")}, func(s *scene) {
				service := map[string]string{"declared": "elsewhere"}[name] // which has the address of the entry
				s.start(cmp.Or(service, "reviews"), "only").plays(func(w http.ResponseWriter, r *http.Request, _ int) {
					conn, _, err := http.NewResponseController(w).Hijack()
					if err != nil {
						w.WriteHeader(http.StatusUpgradeRequired)
						return
					}
					_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\nhello")
					_ = conn.Close()
				})
				r := s.request(http.MethodGet, "http://reviews/", "", "Connection", "Upgrade", "Upgrade", "words")
				r.ProtoMajor = 2
				if a := s.do(r); a.status != http.StatusSwitchingProtocols || a.body != "hello" {
					t.Errorf("got %v %q %v", a, a.body, a.err)
				}
			})
		})
	}
}

const declaredHTTP2 = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: reviews}
spec:
  hosts: [reviews]
  ports: [{number: 80, name: http2, protocol: HTTP2}]
  resolution: STATIC
  endpoints: [{address: 10.0.0.1}]
`
