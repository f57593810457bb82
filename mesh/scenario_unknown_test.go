package mesh_test

import (
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
)

func TestAHostThatNobodyKnowsPassesThroughUnchanged(t *testing.T) {
	play(t, []string{unretried("reviews")}, func(s *scene) {
		far := s.start("unrelated", "far")
		url := "http://" + far.Address() + "/path?q=1"
		a := s.post(url, "text", "X-Own", "kept")
		q := far.questions()[0]
		if a.body != "far" || q.body != "text" || q.Host != far.Address() || q.RequestURI != "/path?q=1" || q.Header.Get("X-Own") != "kept" {
			t.Errorf("got %v; the host was asked %s %s %q %v", a, q.Host, q.RequestURI, q.body, q.Header)
		}
		if len(told(s.journal, &s.journal.requests)) != 0 {
			t.Error("what is not the mesh's is not its to observe")
		}
	})
}

func TestRegistryOnlyRefusesWhatNobodyKnows(t *testing.T) {
	configure := func(_ *scene, cfg *mesh.Config) { cfg.OutboundPolicy = mesh.RegistryOnly }
	playWith(t, []string{unretried("reviews")}, configure, func(s *scene) {
		far := s.start("unrelated", "far")
		s.start("reviews", "near")
		s.refused(s.get("http://"+far.Address()+"/"), "no rule and no source knows the host", 502, "-")
		s.want(s.get("http://reviews/"), "200")
		s.want(s.get("http://unrelated/"), "200") // discovery knows it
		if far.heard() != 1 {
			t.Errorf("%d requests got through", far.heard())
		}
	})
}

func TestARuleWithoutEndpointsIsRefused(t *testing.T) {
	play(t, []string{unretried("nowhere")}, func(s *scene) {
		a := s.get("http://nowhere/")
		s.refused(a, noHealthy, 503, "UH")
	})
}
