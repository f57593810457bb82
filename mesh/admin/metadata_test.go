package admin_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/admin"
	"github.com/inmesh-go/inmesh/mesh/meshtest"
)

// TestLabelsThatAreCalledLikeASecretAreHidden: those of this process, and those that
// discovery tells of others.
func TestLabelsThatAreCalledLikeASecretAreHidden(t *testing.T) {
	labels := meshtest.Labels{"api-token": "PLANTED-label", "note": "Bearer PLANTED-looks", "version": "v1"}
	s := newScene(t, mesh.Config{Workload: mesh.Workload{Service: "productpage", Labels: labels}})
	s.StartEndpoint("reviews", answering(200), discovery.Endpoint{Labels: labels})
	s.get("http://reviews/")
	for _, path := range []string{"/api/destinations", "/api/config", "/api/version", "/api/topology", "/api/topology?fleet=1", "/api/explain?host=reviews"} {
		w := s.page(path)
		if look(t, path, w.Body.String()); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"v1"`) && path != "/api/topology?fleet=1" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if labels["api-token"] != "PLANTED-label" {
		t.Error("the labels are changed")
	}
}

// TestExplainSurvivesWhatItIsAsked: no request can be asked about that brings the
// process down.
func TestExplainSurvivesWhatItIsAsked(t *testing.T) {
	s := under(t, "")
	for _, query := range []string{
		"host=%3F", "host=%23", "host=%40", "host=/", "host=%3A80", "host=u:p%40h", "host=[::1]", "host=[", "host=*", "host=.", "host=a&path=//b",
		"host=a&path=/%2525", "host=a&method=CONNECT", "host=a&method=%20", "host=a&header=:", "host=a&header=Host:b", "host=a&header=%0d:x%0a",
		"host=a:99999", "host=%2500", "host=a&path=/%3F%26%23", "host=127.0.0.1", "host=a.b.c.d.e&scheme=https",
	} {
		if w := s.page("/api/explain?" + query); w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, w.Code, w.Body)
		}
	}
}

// TestLongRequestsMakeNoLongPage: who sends a request decides how long its path is,
// and not how long the page is that shows it.
func TestLongRequestsMakeNoLongPage(t *testing.T) {
	s := under(t, "")
	for _, path := range []string{"/" + strings.Repeat("a", 1<<16), "/" + strings.Repeat("a", 990) + "/" + jwt + strings.Repeat("a", 1<<16)} {
		r := httptest.NewRequest(http.MethodGet, "http://productpage"+path, nil)
		s.mesh.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			w := s.page("/api/requests")
			if look(t, path[:10], w.Body.String()); w.Body.Len() > 1<<12 || !strings.Contains(w.Body.String(), "/aaa") {
				t.Errorf("%d bytes", w.Body.Len())
			}
		})).ServeHTTP(httptest.NewRecorder(), r)
	}
}

// TestAnAnswerThatNobodyClosesIsSeen: it holds what a request holds, so that it is
// shown, until it is closed.
func TestAnAnswerThatNobodyClosesIsSeen(t *testing.T) {
	s := under(t, "")
	s.Start("reviews", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("good")) }), nil)
	resp, err := s.client.Get("http://reviews/forgotten")
	if err != nil {
		t.Fatal(err)
	}
	var got admin.Requests
	if s.read("/api/requests", &got); got.Total != 1 || got.Requests[0].Path != "/forgotten" {
		t.Errorf("%+v", got)
	}
	_ = resp.Body.Close()
	got = admin.Requests{}
	if s.read("/api/requests", &got); got.Total != 0 {
		t.Errorf("%+v", got)
	}
}
