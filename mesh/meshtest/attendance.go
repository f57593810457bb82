package meshtest

import (
	"net/http"
	"sync"
)

// An attendance counts the handlers that run, for http.Server.Close waits for none.
type attendance struct {
	mu      sync.Mutex // has all handlers counted before end waits
	over    bool
	running sync.WaitGroup
}

// taken is h, counted.
func (a *attendance) taken(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.enter() {
			panic(http.ErrAbortHandler) // nobody is there to read an answer
		}
		defer a.running.Done()
		h.ServeHTTP(w, r)
	})
}

func (a *attendance) enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over {
		a.running.Add(1)
	}
	return !a.over
}

// end waits for those that run, and lets no others begin.
func (a *attendance) end() {
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
	a.running.Wait()
}
