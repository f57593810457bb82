package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
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
