package mesh_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestFirst(t *testing.T) {
	var eps []discovery.Endpoint
	for _, v := range []string{"v1", "v2"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, v, r.Host, r.Proto)
		}))
		defer s.Close()
		eps = append(eps, discovery.Endpoint{Address: s.Listener.Addr().String(), Labels: map[string]string{"version": v}})
	}
	src, err := discovery.NewStatic(map[string][]discovery.Endpoint{"reviews": eps})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile("../../shared/rules/reviews-virtualservice.yaml")
	b, _ := os.ReadFile("../../shared/rules/reviews-destinationrule.yaml")
	m, err := mesh.New(context.Background(), mesh.Config{Discovery: src, Rules: rules.Static(string(a), string(b))})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	client := &http.Client{Transport: m.Transport(nil)}
	got := map[string]int{}
	for range 1000 {
		resp, err := client.Get("http://reviews/reviews/7")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		got[string(body)]++
	}
	t.Log(got)
}
