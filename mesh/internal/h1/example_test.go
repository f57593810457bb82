package h1_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Method, " ", r.URL.Path)
	}))
	defer server.Close()
	pool := h1.New(h1.Config{Dial: dialTCP, IdleTimeout: time.Minute})
	defer pool.CloseIdle()
	request, _ := http.NewRequest(http.MethodGet, server.URL+"/reviews/7", nil)
	if !pool.Takes(request) {
		return // http.Transport does
	}
	response, err := pool.RoundTrip(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	fmt.Println(response.Status, string(body))
	// Output: 200 OK GET /reviews/7
}
