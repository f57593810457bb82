package mesh_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
)

func TestHeadersOfARequestAreChangedByTheRule(t *testing.T) {
	rule := route("reviews", `headers: {
		request: {set: {X-Set: rule, X-Both: route}, add: {X-Add: rule}, remove: [X-Gone]},
		response: {set: {X-Set: rule}, add: {X-Add: rule}, remove: [X-Gone]}}`)
	play(t, []string{rule}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(func(w http.ResponseWriter, _ *http.Request, _ int) {
			for _, name := range []string{"X-Set", "X-Add", "X-Gone", "X-Kept"} {
				w.Header().Set(name, "host")
			}
		})
		r := s.request("GET", "http://reviews/", "", "X-Set", "caller", "X-Add", "caller", "X-Gone", "caller", "X-Kept", "caller")
		before := r.Header.Clone()
		a := s.do(r)
		sent := host.questions()[0].Header
		for _, c := range []struct {
			header http.Header
			name   string
			want   []string
		}{
			{sent, "X-Set", []string{"rule"}}, {sent, "X-Add", []string{"caller", "rule"}}, {sent, "X-Gone", nil}, {sent, "X-Kept", []string{"caller"}},
			{a.header, "X-Set", []string{"rule"}}, {a.header, "X-Add", []string{"host", "rule"}}, {a.header, "X-Gone", nil}, {a.header, "X-Kept", []string{"host"}},
		} {
			if got := c.header[c.name]; !slices.Equal(got, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, got, c.want)
			}
		}
		if fmt.Sprint(r.Header) != fmt.Sprint(before) {
			t.Errorf("the caller's own headers became %v", r.Header)
		}
	})
}

func TestHeadersOfOneDestinationWinAndOfSeveralLose(t *testing.T) {
	const operations = "headers: {request: {set: {X-Who: %s}}, response: {set: {X-Who: %s}}}"
	arm := func(subset string, weight int) string {
		return fmt.Sprintf("{destination: {host: reviews, subset: %s}, weight: %d, "+operations+"}", subset, weight, subset, subset)
	}
	for _, c := range []struct{ arms, want string }{
		{arm("v1", 100), "v1"},
		{arm("v1", 50) + ", " + arm("v2", 50), "route"},
	} {
		rule := routes("reviews", fmt.Sprintf("[{route: [%s], "+operations+"}]", c.arms, "route", "route"))
		play(t, []string{rule}, func(s *scene) {
			v1, v2 := s.start("reviews", "v1", "version", "v1"), s.start("reviews", "v2", "version", "v2")
			for range 10 {
				if a := s.get("http://reviews/"); a.header.Get("X-Who") != c.want {
					t.Errorf("answer by %q, want %q", a.header.Get("X-Who"), c.want)
				}
			}
			for _, q := range append(v1.questions(), v2.questions()...) {
				if got := q.Header.Get("X-Who"); got != c.want {
					t.Errorf("request by %q, want %q", got, c.want)
				}
			}
		})
	}
}

func TestHeadersOfAnArmAreForThatArmAlone(t *testing.T) {
	rule := routes("reviews", `[{route: [
		{destination: {host: reviews, subset: v1}, weight: 50, headers: {request: {add: {X-Arm: one}}, response: {add: {X-Arm: one}}}},
		{destination: {host: reviews, subset: v2}, weight: 50, headers: {request: {set: {Host: two.example}}}}]}]`)
	play(t, []string{rule}, func(s *scene) {
		v1, v2 := s.start("reviews", "v1", "version", "v1"), s.start("reviews", "v2", "version", "v2")
		for range 40 {
			if a := s.get("http://reviews/"); (a.header.Get("X-Arm") == "one") != (a.body == "v1") {
				t.Fatalf("%s answered with %v", a.body, a.header)
			}
		}
		for _, q := range v1.questions() {
			if q.Header.Get("X-Arm") != "one" || q.Host != "reviews" {
				t.Fatalf("v1 was asked %v of %s", q.Header, q.Host)
			}
		}
		for _, q := range v2.questions() {
			if q.Header.Get("X-Arm") != "" || q.Host != "two.example" {
				t.Fatalf("v2 was asked %v of %s", q.Header, q.Host)
			}
		}
		if v1.heard() == 0 || v2.heard() == 0 {
			t.Error("one of the arms got nothing")
		}
	})
}

func TestHeadersDoNotInfluenceTheMatchOfTheirOwnRequest(t *testing.T) {
	rule := routes("reviews", `[
		{match: [{headers: {x-group: {exact: b}}}], route: [{destination: {host: reviews, subset: v2}}]},
		{route: [{destination: {host: reviews, subset: v1}}], headers: {request: {set: {X-Group: b}}}}]`)
	play(t, []string{rule}, func(s *scene) {
		v1 := s.start("reviews", "v1", "version", "v1")
		s.start("reviews", "v2", "version", "v2")
		if a := s.get("http://reviews/", "X-Group", "a"); a.body != "v1" || v1.questions()[0].Header.Get("X-Group") != "b" {
			t.Errorf("went to %s with %v", a.body, v1.questions()[0].Header)
		}
	})
}
