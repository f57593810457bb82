package mesh_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// sticky is a 90/10 split whose users stay in their arm, and the rule that says
// how they are known.
func sticky(key string) []string {
	subsets := "[{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]"
	return []string{
		policyWith("reviews", "{loadBalancer: {consistentHash: {"+key+"}}}", subsets),
		routes("reviews", `[{route: [{destination: {host: reviews, subset: v1}, weight: 90}, {destination: {host: reviews, subset: v2}, weight: 10}]}]`),
	}
}

// arms starts n instances of each version; an answer is "v1-0".
func (s *scene) arms(n int) {
	for i := range n {
		for _, v := range []string{"v1", "v2"} {
			s.start("reviews", fmt.Sprint(v, "-", i), "version", v)
		}
	}
}

func TestAUserStaysInOneArmOfASplit(t *testing.T) {
	for key, ask := range map[string]func(s *scene, user int) answer{
		"httpHeaderName: x-user": func(s *scene, user int) answer {
			return s.get("http://reviews/", "X-User", fmt.Sprint("user-", user))
		},
		"httpQueryParameterName: user": func(s *scene, user int) answer {
			return s.get(fmt.Sprint("http://reviews/?a=b&user=", user))
		},
		"httpCookie: {name: user}": func(s *scene, user int) answer {
			return s.get("http://reviews/", "Cookie", fmt.Sprint("a=b; user=", user))
		},
		"httpHeaderName: x-user, maglev: {tableSize: 1009}": func(s *scene, user int) answer {
			return s.get("http://reviews/", "X-User", fmt.Sprint("user-", user))
		},
	} {
		t.Run(key, func(t *testing.T) {
			const users = 1_000
			play(t, sticky(key), func(s *scene) {
				s.arms(4)
				s.unwired()
				second, hosts := 0, map[string]int{}
				for user := range users {
					first := ask(s, user)
					for range 4 {
						if again := ask(s, user); again.body != first.body {
							t.Fatalf("user %d was with %s and then with %s", user, first.body, again.body)
						}
					}
					if first.body[:2] == "v2" {
						second++
					}
					hosts[first.body]++
				}
				binomial(t, "v2", second, users, 0.1)
				// The arm says nothing about the host within it.
				for i := range 4 {
					if n := hosts[fmt.Sprint("v1-", i)]; n < 90 || n > 400 {
						t.Errorf("host %d of v1 has %d of 900 users: %v", i, n, hosts)
					}
				}
			})
		})
	}
}

func TestAUserWithoutAKeyGoesAnywhere(t *testing.T) {
	const n = 3_000
	play(t, sticky("httpHeaderName: x-user"), func(s *scene) {
		s.arms(1)
		s.unwired()
		got := s.share(n, "http://reviews/")
		binomial(t, "v2", got["v2-0"], n, 0.1)
	})
}

func TestAGeneratedCookieKeepsAUserFromTheFirstAnswerOn(t *testing.T) {
	play(t, sticky("httpCookie: {name: user, path: /, ttl: 60s}"), func(s *scene) {
		s.arms(3)
		second := 0
		const users = 300
		for user := range users {
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			s.client.Jar = jar
			first := s.get("http://reviews/")
			if first.header.Get("Set-Cookie") == "" {
				t.Fatal("no cookie was set")
			}
			for range 3 {
				again := s.get("http://reviews/")
				if again.body != first.body || again.header.Get("Set-Cookie") != "" {
					t.Fatalf("user %d was with %s and then with %s; cookie %q", user, first.body, again.body, again.header.Get("Set-Cookie"))
				}
			}
			if first.body[:2] == "v2" {
				second++
			}
		}
		binomial(t, "v2", second, users, 0.1)
	})
}

func TestAGeneratedCookieIsAsTheRuleSays(t *testing.T) {
	key := "httpCookie: {name: user, path: /a, ttl: 90s, attributes: [{name: SameSite, value: Strict}]}"
	play(t, sticky(key), func(s *scene) {
		host := s.start("reviews", "v1", "version", "v1")
		s.start("reviews", "v2", "version", "v2")
		resp, err := s.client.Do(s.request("GET", "http://reviews/", ""))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		c := resp.Cookies()
		if len(c) != 1 || c[0].Name != "user" || c[0].Path != "/a" || c[0].MaxAge != 90 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteStrictMode || c[0].Value == "" {
			t.Errorf("got %+v", c)
		}
		if host.heard() == 1 && host.questions()[0].Header.Get("Cookie") != "user="+c[0].Value {
			t.Errorf("the host got %q", host.questions()[0].Header.Get("Cookie"))
		}
	})
}

func TestASessionCookieHasNoAge(t *testing.T) {
	play(t, sticky("httpCookie: {name: user, ttl: 0s}"), func(s *scene) {
		s.arms(1)
		resp, err := s.client.Do(s.request("GET", "http://reviews/", ""))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if c := resp.Cookies(); len(c) != 1 || c[0].MaxAge != 0 || !c[0].Expires.IsZero() {
			t.Errorf("got %+v", c)
		}
	})
}

func TestAnotherHostMovesFewUsers(t *testing.T) {
	const users, hosts = 2_000, 9
	for _, table := range []string{"", ", maglev: {tableSize: 65537}"} {
		documents := []string{policy("reviews", "{loadBalancer: {consistentHash: {httpHeaderName: x-user"+table+"}}}")}
		play(t, documents, func(s *scene) {
			s.cast(hosts)
			s.unwired()
			before := make([]string, users)
			for user := range users {
				before[user] = s.get("http://reviews/", "X-User", fmt.Sprint(user)).body
			}
			s.start("reviews", "new")
			s.pass(time.Millisecond)
			moved, toNew := 0, 0
			for user, was := range before {
				if now := s.get("http://reviews/", "X-User", fmt.Sprint(user)).body; now != was {
					moved++
					if now == "new" {
						toNew++
					}
				}
			}
			if share := float64(moved) / users; share < 0.05 || share > 0.2 || float64(toNew) < 0.85*float64(moved) {
				t.Errorf("%d of %d users moved, %d of them to the new host; want about a tenth", moved, users, toNew)
			}
		})
	}
}

func TestAnEjectedHostsUsersMoveAndComeBack(t *testing.T) {
	documents := []string{
		policy("reviews", "{loadBalancer: {consistentHash: {httpHeaderName: x-user}}, outlierDetection: {consecutive5xxErrors: 1}}"),
		unretried("reviews"),
	}
	play(t, documents, func(s *scene) {
		hosts := s.cast(4)
		ask := func(user int) answer { return s.get("http://reviews/", "X-User", fmt.Sprint(user)) }
		before := map[int]string{}
		for user := range 200 {
			before[user] = ask(user).body
		}
		hosts[0].plays(hosts[0].says(500))
		for user := 0; hosts[0].heard() == 0 || ask(user).status != 500; user++ {
		}
		for user, was := range before {
			now := ask(user)
			if now.status != 200 || (was == "r0") == (now.body == was) {
				t.Fatalf("user %d was with %s and is with %v %s while r0 is out", user, was, now, now.body)
			}
		}
		hosts[0].plays(hosts[0].says(200))
		s.pass(time.Minute)
		for user, was := range before {
			if now := ask(user).body; now != was {
				t.Fatalf("user %d was with %s and is with %s after r0 came back", user, was, now)
			}
		}
	})
}

func TestWeightsMoveOnlyTheUsersInBetween(t *testing.T) {
	documents := sticky("httpHeaderName: x-user")
	play(t, documents, func(s *scene) {
		s.arms(1)
		s.unwired()
		arm := func(user int) string { return s.get("http://reviews/", "X-User", fmt.Sprint(user)).body }
		before := map[int]string{}
		for user := range 1_000 {
			before[user] = arm(user)
		}
		s.rule(documents[0], routes("reviews", `[{route: [{destination: {host: reviews, subset: v1}, weight: 50}, {destination: {host: reviews, subset: v2}, weight: 50}]}]`))
		second := 0
		for user, was := range before {
			now := arm(user)
			if was == "v2-0" && now != was {
				t.Fatalf("user %d left the arm that grew", user)
			}
			if now == "v2-0" {
				second++
			}
		}
		binomial(t, "v2", second, 1_000, 0.5)
	})
}

func TestTheAddressOfTheInboundCallerIsItsKey(t *testing.T) {
	play(t, []string{policy("reviews", "{loadBalancer: {consistentHash: {useSourceIp: true}}}")}, func(s *scene) {
		s.cast(8)
		s.unwired()
		var got answer
		page := s.mesh.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got = s.do(s.request("GET", "http://reviews/", "").WithContext(r.Context()))
		}))
		visit := func(remote string) string {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = remote
			page.ServeHTTP(httptest.NewRecorder(), r)
			return got.body
		}
		hosts := map[string]bool{}
		for i := range 100 {
			first := visit(fmt.Sprintf("10.1.2.%d:1000", i))
			if again := visit(fmt.Sprintf("10.1.2.%d:2000", i)); again != first {
				t.Fatalf("caller %d was with %s and then with %s", i, first, again)
			}
			hosts[first] = true
		}
		if len(hosts) < 4 {
			t.Errorf("100 callers share %d of 8 hosts", len(hosts))
		}
	})
}

// Browsers take names that net/http does not, and rules have them.
func TestAGeneratedCookieHasWhateverNameTheRuleGivesIt(t *testing.T) {
	play(t, sticky(`httpCookie: {name: "user[id]", path: /a b, ttl: 90s, attributes: [{name: Secure}]}`), func(s *scene) {
		s.arms(1)
		first := s.get("http://reviews/")
		pair, rest, _ := strings.Cut(first.header.Get("Set-Cookie"), "; ")
		if !strings.HasPrefix(pair, "user[id]=") || rest != "Path=/a b; Max-Age=90; HttpOnly; Secure" {
			t.Errorf("got %q", first.header)
		}
		for range 5 {
			if again := s.get("http://reviews/", "Cookie", pair); again.body != first.body || again.header.Get("Set-Cookie") != "" {
				t.Errorf("got %s, and then %s with %q", first.body, again.body, again.header)
			}
		}
	})
}
