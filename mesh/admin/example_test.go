package admin_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/admin"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// The pages stand beside a program's own, for whoever is on the same machine.
func Example() {
	m, err := mesh.New(context.Background(), mesh.Config{Rules: rules.Static(reviewsRules)})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	mux := http.NewServeMux()
	mux.Handle("/mesh/", http.StripPrefix("/mesh", admin.New(m, admin.Config{})))

	server := httptest.NewServer(mux) // in real life http.ListenAndServe("127.0.0.1:15000", mux)
	defer server.Close()
	resp, err := http.Get(server.URL + "/mesh/api/rules")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.Status, strings.Count(string(text), `"apiVersion"`), "rules")
	// Output: 200 OK 2 rules
}
