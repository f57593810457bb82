package mesh_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
)

// bytesOf is a body whose bytes differ from each other.
func bytesOf(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>8 ^ i)
	}
	return string(b)
}

// stream hides what http.NewRequest would make GetBody of.
type stream struct{ io.Reader }

// upload sends a POST whose body can be read once.
func (s *scene) upload(body string, length int64) answer {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, "http://reviews/", stream{strings.NewReader(body)})
	if err != nil {
		s.Fatal(err)
	}
	r.ContentLength = length
	return s.do(r)
}

func TestBodiesAreReplayedByteForByteUpToTheLimit(t *testing.T) {
	const limit = 64 << 10
	for _, c := range []struct {
		name  string
		size  int
		known bool
		tries int
	}{
		{"small", 10, true, 3}, {"small, chunked", 10, false, 3}, {"empty, chunked", 0, false, 3},
		{"at the limit", limit, true, 3}, {"at the limit, chunked", limit, false, 3},
		{"beyond", limit + 1, true, 1}, {"beyond, chunked", limit + 1, false, 1}, {"far beyond", 10 * limit, true, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, []string{retried("attempts: 2, retryOn: 5xx")}, func(s *scene) {
				host := s.start("reviews", "only")
				host.plays(host.says(503))
				body, length := bytesOf(c.size), int64(-1)
				if c.known {
					length = int64(c.size)
				}
				a := s.upload(body, length)
				if a.status != 503 || a.body != "only" {
					t.Errorf("got %v %v %q, want the last answer as it came", a, a.err, a.body)
				}
				if host.heard() != c.tries {
					t.Errorf("%d tries, want %d", host.heard(), c.tries)
				}
				for i, q := range host.questions() {
					if q.body != body {
						t.Errorf("try %d carried %d bytes, not the %d of the original", i+1, len(q.body), c.size)
					}
				}
			})
		})
	}
}

func TestABodyThatCanBeHadAgainIsReplayedWhateverItsSize(t *testing.T) {
	play(t, []string{retried("attempts: 1, retryOn: 5xx")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(host.saysInTurn(503, 200))
		body := bytesOf(1 << 20)
		s.want(s.post("http://reviews/", body), "200") // NewRequest gives it GetBody
		if q := host.questions(); len(q) != 2 || q[1].body != body {
			t.Errorf("%d tries", len(q))
		}
	})
}

func TestALongBodyIsSentToAnotherHostWhenNothingOfItWasSent(t *testing.T) {
	play(t, nil, func(s *scene) {
		gone, here := s.start("reviews", "gone"), s.start("reviews", "here")
		gone.Refuse()
		body := bytesOf(200 << 10)
		for range 20 {
			s.want(s.upload(body, -1), "200")
		}
		for _, q := range here.questions() {
			if q.body != body {
				t.Errorf("got %d bytes of %d", len(q.body), len(body))
			}
		}
		if len(told(s.journal, &s.journal.retries)) == 0 {
			t.Error("nothing was tried at the host that is gone")
		}
	})
}

func TestReplayLimitIsTheConfigs(t *testing.T) {
	for _, c := range []struct {
		limit int64
		size  int
		tries int
	}{{100, 100, 2}, {100, 101, 1}, {-1, 1, 1}, {-1, 0, 2}} {
		configure := func(_ *scene, cfg *mesh.Config) { cfg.ReplayLimit = c.limit }
		playWith(t, []string{retried("attempts: 1, retryOn: 5xx")}, configure, func(s *scene) {
			host := s.start("reviews", "only")
			host.plays(host.says(503))
			s.want(s.upload(bytesOf(c.size), int64(c.size)), "503")
			if host.heard() != c.tries {
				t.Errorf("limit %d, body %d: %d tries, want %d", c.limit, c.size, host.heard(), c.tries)
			}
		})
	}
}

func TestABodyThatTheHostDidNotReadIsStillReplayed(t *testing.T) {
	play(t, []string{retried("attempts: 1, retryOn: 5xx")}, func(s *scene) {
		lazy := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
		s.fleet.Start("reviews", lazy, nil)
		keen := s.start("reviews", "keen")
		body := bytesOf(50 << 10)
		for range 20 {
			s.want(s.upload(body, -1), "200")
		}
		for _, q := range keen.questions() {
			if !bytes.Equal([]byte(q.body), []byte(body)) {
				t.Errorf("got %d bytes of %d", len(q.body), len(body))
			}
		}
	})
}
