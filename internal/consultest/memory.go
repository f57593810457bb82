package consultest

import (
	"net/http"
	"net/http/httptest"
)

// InMemory is an http.Client whose requests a handler answers, without a network:
// a scripted agent for tests with a clock of their own. A handler that waits does
// so until the request's context ends.
func InMemory(agent http.Handler) *http.Client { return &http.Client{Transport: inMemory{agent}} }

type inMemory struct{ agent http.Handler }

// RoundTrip implements http.RoundTripper.
func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	m.agent.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}
