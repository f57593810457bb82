package admin_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/admin"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
)

func TestTapTellsWhatItsFilterWants(t *testing.T) {
	s := under(t, strings.Replace(reviewsRules, "consecutive5xxErrors: 2", "consecutive5xxErrors: 1000", 1)) // all keep answering
	for _, version := range []string{"v1", "v2"} {
		s.Start("reviews", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/bad" {
				w.WriteHeader(503)
			}
		}), meshtest.Labels{"version": version})
	}
	for query, want := range map[string]string{
		"":                             "/good /bad /in /end",
		"direction=outbound":           "/good /bad /end",
		"direction=inbound":            "/in",
		"service=reviews":              "/good /bad /end",
		"service=nobody":               "",
		"method=POST":                  "",
		"path=/g":                      "/good",
		"status=400":                   "/bad",
		"failed=true":                  "/bad",
		"failed=1&path=/good":          "",
		"status=200&direction=inbound": "/in",
	} {
		tap := s.tap("/api/tap?" + query)
		for _, path := range []string{"/good", "/bad", "/in", "/end"} {
			if path == "/in" {
				s.inbound("/in", nil)
				continue
			}
			s.get("http://reviews" + path)
		}
		var got []string
		for range strings.Fields(want) {
			got = append(got, tap.request().Path)
		}
		if line := strings.Join(got, " "); line != want {
			t.Errorf("%q: %s, want %s", query, line, want)
		}
		tap.end()
	}
}

// send sends a request of the test's own.
func (s *scene) send(r *http.Request) {
	s.t.Helper()
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = resp.Body.Close()
}

func TestTapSaysWhereARequestWent(t *testing.T) {
	s := secured(t, "productpage", reviewsRules)
	tap := s.tap("/api/tap")
	r, _ := http.NewRequest(http.MethodGet, "http://reviews/reviews/7?page=2", nil)
	r.Header.Set("End-User", "jason")
	s.send(r)
	e := tap.request()
	if e.Direction != "outbound" || e.Service != "reviews.default.svc.cluster.local" || e.Rule != "default/reviews" || e.Route != "for-jason" ||
		e.Subset != "v2" || e.Endpoint == "" || e.Attempts != 1 || e.Status != 200 || e.Flags != "-" || e.Query != "page=2" ||
		e.Headers["End-User"][0] != "jason" || e.Start.IsZero() || e.Duration <= 0 {
		t.Errorf("%+v", e)
	}
	s.inbound("/", http.Header{})
	if e := tap.request(); e.Direction != "inbound" || e.Host != "productpage" || e.Status != 200 || e.Source == "" {
		t.Errorf("%+v", e)
	}
}

func TestTapEndsWithTheMesh(t *testing.T) {
	s := under(t, "")
	tap := s.tap("/api/tap")
	_ = s.mesh.Close()
	if name, _ := tap.event(); name != "bye" {
		t.Errorf("%q", name)
	}
	if name, _ := tap.event(); name != "" {
		t.Errorf("after the end: %q", name)
	}
	late := s.tap("/api/tap")
	if name, _ := late.event(); name != "bye" {
		t.Errorf("of a closed mesh: %q", name)
	}
}

func TestSlowTapLosesRequestsAndSaysHowMany(t *testing.T) {
	s := under(t, "")
	tap := s.mesh.Tap(mesh.TapFilter{}, 2)
	defer tap.Close()
	for n := range 5 {
		s.inbound(fmt.Sprint("/", n), nil)
	}
	for n := range 2 {
		if e, err := tap.Next(t.Context()); err != nil || e.Path != fmt.Sprint("/", n) {
			t.Errorf("%v %+v", err, e)
		}
	}
	if tap.Dropped() != 3 {
		t.Errorf("%d dropped", tap.Dropped())
	}
	tap.Close()
	if _, err := tap.Next(t.Context()); err != mesh.ErrTapClosed {
		t.Error(err)
	}
}

// Heads of requests may have a megabyte each.
func TestASlowTapKeepsNoMoreThanItCanHold(t *testing.T) {
	s := under(t, "")
	tap := s.mesh.Tap(mesh.TapFilter{}, 100)
	defer tap.Close()
	for range 20 {
		s.inbound("/", http.Header{"X-Long": {strings.Repeat("a", 1<<20)}})
	}
	if got := tap.Dropped(); got != 13 {
		t.Errorf("%d dropped of 20 of a megabyte and a little each, want all but 7: what waits has 8", got)
	}
	for range 7 {
		if _, err := tap.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.inbound("/", http.Header{"X-Long": {strings.Repeat("a", 1<<20)}})
	if got := tap.Dropped(); got != 13 {
		t.Errorf("%d dropped, though there is room again", got)
	}
}

func TestTapsAreBounded(t *testing.T) {
	s := under(t, "")
	for range 16 {
		s.tap("/api/tap")
	}
	one := s.tap("/api/tap")
	if one.resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s", one.resp.Status)
	}
}

// TestNoTapStreamsToWhoAskedForTheHeadAlone: nobody reads what comes after it, and
// the place would be taken for as long as the connection is kept.
func TestNoTapStreamsToWhoAskedForTheHeadAlone(t *testing.T) {
	s := under(t, "")
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	r := asked("/api/tap").WithContext(ctx)
	r.Method = http.MethodHead
	if w := ask(s.pages, r); w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/event-stream" || ctx.Err() != nil {
		t.Errorf("%d %v, %v", w.Code, w.Header(), ctx.Err())
	}
}

func TestTapNamesWhatItCannotUnderstand(t *testing.T) {
	s := under(t, "")
	for query, want := range map[string]string{
		"direction=up": "direction: ", "status=x": "status: ", "status=600": "status: ", "failed=perhaps": "failed: ",
	} {
		if w := s.page("/api/tap?" + query); w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

func TestRequestsShowWhatIsUnderWay(t *testing.T) {
	s := under(t, reviewsRules)
	gate, arrived := make(chan struct{}), make(chan struct{})
	s.Start("reviews", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(arrived); <-gate }), meshtest.Labels{"version": "v2"})
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, _ := http.NewRequest(http.MethodGet, "http://reviews/slow", nil)
		r.Header.Set("End-User", "jason")
		if resp, err := s.client.Do(r); err == nil {
			_ = resp.Body.Close()
		}
	}()
	s.until("the request is there", func() bool { return isClosed(arrived) })
	var got admin.Requests
	s.read("/api/requests", &got)
	close(gate)
	<-done
	if got.Total != 1 || len(got.Requests) != 1 {
		t.Fatalf("%+v", got)
	}
	if u := got.Requests[0]; u.Direction != "outbound" || u.Method != "GET" || u.Host != "reviews" || u.Path != "/slow" || u.Route != "for-jason" ||
		u.Service != "reviews.default.svc.cluster.local" || u.Endpoint == "" || u.Attempts != 1 || u.Start.IsZero() {
		t.Errorf("%+v", u)
	}
	var within admin.Requests
	s.mesh.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { s.read("/api/requests", &within) })).ServeHTTP(s.recorder(), asked("/busy"))
	if len(within.Requests) != 1 || within.Requests[0].Direction != "inbound" || within.Requests[0].Path != "/busy" {
		t.Errorf("%+v", within)
	}
	var after admin.Requests
	if s.read("/api/requests", &after); after.Total != 0 {
		t.Errorf("%+v are still under way", after)
	}
}
