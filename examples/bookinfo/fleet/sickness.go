package fleet

import (
	"net/http"
	"sync"
	"time"
)

// sickTime is how long an ill server answers 500s, counted from its first
// request. The customer's rule ejects it for 30 s: when it is let back in to
// prove itself, it is well.
const sickTime = 20 * time.Second

// sickness makes a server answer 500s for a while.
func sickness(next http.Handler, s *server, event func(string, ...any)) http.Handler {
	begun := sync.OnceValue(func() time.Time {
		event("%s %s at %s is ill and answers 500s for %v", s.Service, s.Version, s.address(), sickTime)
		return time.Now()
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if time.Since(begun()) < sickTime {
			http.Error(w, "ill", http.StatusInternalServerError)
			return
		}
		next.ServeHTTP(w, r)
	})
}
