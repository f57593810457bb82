package mesh_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
)

func mirrored(more string) string {
	return route("reviews", "mirror: {host: shadow}"+more)
}

func TestACopyArrivesAsTheOriginalDid(t *testing.T) {
	rule := routes("reviews", `[{route: [{destination: {host: reviews}}], mirror: {host: shadow},
		rewrite: {uri: /new}, match: [{uri: {prefix: /old}}], headers: {request: {set: {X-Rule: set}}}}]`)
	play(t, []string{rule}, func(s *scene) {
		host, shadow := s.start("reviews", "real"), s.start("shadow", "copy")
		bodies := []string{"", "short", bytesOf(60 << 10)}
		for _, body := range bodies {
			a := s.post("http://reviews/old/a?q=1", body, "X-Own", "kept")
			if a.body != "real" {
				t.Errorf("the caller got %v %q", a, a.body)
			}
			synctest.Wait()
		}
		if host.heard() != 3 || shadow.heard() != 3 {
			t.Fatalf("%d requests and %d copies, want 3 each", host.heard(), shadow.heard())
		}
		for i, q := range shadow.questions() {
			if q.body != bodies[i] || q.RequestURI != "/new/a?q=1" || q.Host != "reviews" || q.Method != "POST" ||
				q.Header.Get("X-Rule") != "set" || q.Header.Get("X-Own") != "kept" {
				t.Errorf("copy %d: %s %s %s %d bytes %v", i, q.Method, q.Host, q.RequestURI, len(q.body), q.Header)
			}
		}
	})
}

func TestABodyThatCanBeReadOnceIsCopiedUpToTheLimit(t *testing.T) {
	play(t, []string{mirrored("")}, func(s *scene) {
		host, shadow := s.start("reviews", "real"), s.start("shadow", "copy")
		short, much := bytesOf(64<<10), bytesOf(64<<10+1)
		s.want(s.upload(short, -1), "200")
		synctest.Wait()
		if shadow.heard() != 1 || shadow.questions()[0].body != short {
			t.Errorf("%d copies of a body at the limit", shadow.heard())
		}
		s.want(s.upload(much, -1), "200")
		synctest.Wait()
		if host.questions()[1].body != much || shadow.heard() != 1 {
			t.Errorf("the host got %d bytes, and %d copies were sent", len(host.questions()[1].body), shadow.heard())
		}
		if got := told(s.journal, &s.journal.dropped); len(got) != 1 || s.mesh.Status().MirrorDrops != 1 {
			t.Errorf("a copy that is not sent is to be counted, got %v", got)
		}
	})
}

func TestMirrorsHitTheirPercentages(t *testing.T) {
	const n = 2_000
	for rule, shares := range map[string][2]float64{
		"mirror: {host: one}, mirrorPercentage: {value: 20}":                                                       {0.2, 0},
		"mirror: {host: one}, mirrorPercentage: {value: 0}":                                                        {0, 0},
		"mirror: {host: one}":                                                                                      {1, 0},
		"mirrors: [{destination: {host: one}, percentage: {value: 50}}, {destination: {host: two}}]":               {0.5, 1},
		"mirrors: [{destination: {host: one, subset: none}}, {destination: {host: two}, percentage: {value: 10}}]": {0, 0.1},
	} {
		unlimited := func(_ *scene, cfg *mesh.Config) { cfg.MirrorLimit = 2 * n }
		playWith(t, []string{route("reviews", rule), policyWith("one", "{loadBalancer: {simple: RANDOM}}", "[{name: v1}]")}, unlimited, func(s *scene) {
			s.start("reviews", "real")
			s.start("one", "one")
			s.start("two", "two")
			s.unwired()
			s.share(n, "http://reviews/")
			synctest.Wait()
			got := map[string]int{}
			for _, i := range told(s.journal, &s.journal.requests) {
				if i.Mirror && i.Status == 200 {
					got[s.names[i.Endpoint]]++
				}
			}
			binomial(t, rule+" one", got["one"], n, shares[0])
			binomial(t, rule+" two", got["two"], n, shares[1])
		})
	}
}

func TestAMirrorNeverConcernsTheCaller(t *testing.T) {
	for name, plays := range map[string]func(*actor){
		"down":   func(a *actor) { a.Refuse() },
		"silent": func(a *actor) { a.Silence() },
		"errors": func(a *actor) { a.plays(a.says(500)) },
		"breaks": func(a *actor) { a.plays(hangsUp) },
		"slow":   func(a *actor) { a.plays(later(time.Hour, a.says(200))) },
		"drips":  func(a *actor) { a.plays(dripping(1000, time.Minute)) },
		"gone":   func(a *actor) { a.Withdraw() },
	} {
		t.Run(name, func(t *testing.T) {
			documents := []string{policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1}}"), mirrored(", retries: {attempts: 3, retryOn: 5xx}")}
			play(t, documents, func(s *scene) {
				s.start("reviews", "real")
				shadow := s.start("shadow", "copy")
				plays(shadow)
				began := time.Now()
				for range 10 {
					s.want(s.post("http://reviews/", "text"), "200")
				}
				s.took(began, 0)
				s.pass(time.Minute)
				if n := len(told(s.journal, &s.journal.retries)); n != 0 || shadow.heard() > 10 {
					t.Errorf("%d retries, %d copies arrived: a copy is not retried", n, shadow.heard())
				}
			})
		})
	}
}

func TestACopyOutlivesTheCallersCancellation(t *testing.T) {
	play(t, []string{mirrored("")}, func(s *scene) {
		host, shadow := s.start("reviews", "real"), s.start("shadow", "copy")
		host.plays(later(time.Hour, host.says(200)))
		ended := make(chan error, 1)
		shadow.plays(func(_ http.ResponseWriter, r *http.Request, _ int) {
			select {
			case <-time.After(5 * time.Second):
			case <-r.Context().Done():
			}
			ended <- r.Context().Err()
		})
		s.want(s.cancelled(time.Second, "http://reviews/"), "cancelled by the caller")
		if err := <-ended; err != nil {
			t.Errorf("the copy ended with the caller: %v", err)
		}
	})
}

func TestACopyTakesNoLongerThanItsTime(t *testing.T) {
	for rule, want := range map[string]time.Duration{"": 15 * time.Second, ", timeout: 2s": 2 * time.Second, ", timeout: 40s": 40 * time.Second} {
		play(t, []string{mirrored(rule)}, func(s *scene) {
			s.start("reviews", "real")
			shadow := s.start("shadow", "copy")
			gone := make(chan time.Time, 1)
			shadow.plays(func(_ http.ResponseWriter, r *http.Request, _ int) {
				<-r.Context().Done()
				gone <- time.Now()
			})
			began := time.Now()
			s.want(s.get("http://reviews/"), "200")
			if took := (<-gone).Sub(began); took != want {
				t.Errorf("%q: the copy was given up after %v, want %v", rule, took, want)
			}
		})
	}
}

func TestCopiesBeyondTheLimitAreDroppedAndCounted(t *testing.T) {
	configure := func(_ *scene, cfg *mesh.Config) { cfg.MirrorLimit = 3 }
	playWith(t, []string{mirrored("")}, configure, func(s *scene) {
		s.start("reviews", "real")
		shadow := s.start("shadow", "copy")
		shadow.plays(later(time.Second, shadow.says(200)))
		for range 10 {
			s.want(s.get("http://reviews/"), "200")
			synctest.Wait()
		}
		dropped := told(s.journal, &s.journal.dropped)
		if shadow.heard() != 3 || len(dropped) != 7 || s.mesh.Status().MirrorDrops != 7 {
			t.Errorf("%d copies, %d dropped, %d counted; want 3, 7, 7", shadow.heard(), len(dropped), s.mesh.Status().MirrorDrops)
		}
		if dropped[0] != "shadow.default.svc.cluster.local" {
			t.Errorf("dropped for %q", dropped[0])
		}
		s.pass(2 * time.Second)
		s.want(s.get("http://reviews/"), "200")
		s.pass(2 * time.Second)
		if shadow.heard() != 4 {
			t.Errorf("%d copies, want one more now that there is room", shadow.heard())
		}
	})
}

func TestTheLimitsOfAMirrorAreItsOwn(t *testing.T) {
	documents := []string{policy("shadow", "{connectionPool: {http: {http2MaxRequests: 1}}}"), mirrored("")}
	play(t, documents, func(s *scene) {
		s.start("reviews", "real")
		shadow := s.start("shadow", "copy")
		shadow.plays(later(time.Second, shadow.says(200)))
		for range 5 {
			s.want(s.get("http://reviews/"), "200")
			synctest.Wait()
		}
		s.pass(time.Minute)
		if shadow.heard() != 1 {
			t.Errorf("%d copies at once, the limit is 1", shadow.heard())
		}
	})
}

// As in Envoy. A copy to the hosts of its original comes after it, and does not take
// its place.
func TestWhatIsSentNowhereIsNotCopied(t *testing.T) {
	limits := policy("reviews", "{connectionPool: {http: {http2MaxRequests: 1}}}")
	play(t, []string{limits, mirrored(", retries: {attempts: 0}")}, func(s *scene) {
		host, shadow := s.start("reviews", "real"), s.start("shadow", "copy")
		host.plays(later(time.Second, host.says(200)))
		overflows(s)
		synctest.Wait()
		if host.heard() != 1 || shadow.heard() != 1 {
			t.Errorf("%d requests were sent, and %d copies; want 1 each", host.heard(), shadow.heard())
		}
	})
}

func TestAnUpgradeIsNotCopied(t *testing.T) {
	play(t, []string{mirrored("")}, func(s *scene) {
		s.fleet.Start("reviews", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_ = rw.Flush()
			_, _ = io.CopyN(conn, rw, 5)
		}), nil)
		shadow := s.start("shadow", "copy")
		resp, err := s.client.Do(s.request("GET", "http://reviews/", "", "Connection", "Upgrade", "Upgrade", "echo"))
		if err != nil {
			t.Fatal(err)
		}
		conn, ok := resp.Body.(io.ReadWriteCloser)
		if !ok || resp.StatusCode != 101 {
			t.Fatalf("got %d and a %T", resp.StatusCode, resp.Body)
		}
		if _, err := io.WriteString(conn, "hello"); err != nil {
			t.Error(err)
		}
		if echo, err := io.ReadAll(conn); string(echo) != "hello" {
			t.Errorf("got %q %v", echo, err)
		}
		_ = conn.Close()
		s.pass(time.Minute)
		if shadow.heard() != 0 {
			t.Error("an upgrade was copied")
		}
	})
}

func TestACopySharesNothingWithTheCallersRequest(t *testing.T) {
	configure := func(s *scene, cfg *mesh.Config) { cfg.Discovery = tardy{s.fleet.Discovery(), time.Second} }
	playWith(t, []string{mirrored("")}, configure, func(s *scene) {
		s.start("reviews", "real")
		shadow := s.start("shadow", "copy")
		r := s.request("GET", "http://reviews/first", "", "X-Own", "first")
		s.want(s.do(r), "200")
		r.URL.Path, r.Header["X-Own"][0] = "/second", "second" // the caller may: it has its answer
		s.pass(time.Minute)
		if q := shadow.questions(); len(q) != 1 || q[0].URL.Path != "/first" || q[0].Header.Get("X-Own") != "first" {
			t.Errorf("the copy became %+v", q)
		}
	})
}

func TestCopiesEndWithTheMesh(t *testing.T) {
	play(t, []string{mirrored("")}, func(s *scene) {
		s.start("reviews", "real")
		shadow := s.start("shadow", "copy")
		left := make(chan error, 1)
		shadow.plays(func(_ http.ResponseWriter, r *http.Request, _ int) {
			<-r.Context().Done()
			left <- r.Context().Err()
		})
		s.want(s.get("http://reviews/"), "200")
		synctest.Wait()
		began := time.Now()
		_ = s.mesh.Close()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		s.took(began, 0)
	})
}

// Nobody has asked a mirror to switch protocols; net/http lets go of a connection that
// does, which ends with no context.
func TestACopyIsNotHeldByAServerThatSwitchesProtocols(t *testing.T) {
	play(t, []string{mirrored("")}, func(s *scene) {
		s.start("reviews", "real")
		hungUp := make(chan error, 1)
		s.start("shadow", "copy").plays(func(w http.ResponseWriter, _ *http.Request, _ int) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			_, err := io.Copy(io.Discard, conn)
			hungUp <- err
			_ = conn.Close()
		})
		began := time.Now()
		s.want(s.post("http://reviews/", "text"), "200")
		if err := <-hungUp; err != nil {
			t.Error(err)
		}
		s.took(began, 0)
	})
}
