package h2_test

import (
	"net/http"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/h2"
)

func TestAHookThatPanicsKeepsNoPlace(t *testing.T) {
	play(t, h2.Config{MaxStreams: 1}, after(0), func(t *testing.T, s *stage) {
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { panic("hook") },
		})
		for range 3 {
			func() {
				defer func() { _ = recover() }()
				_ = s.get(ctx)
			}()
			s.crowd(t, 1)
			s.want(t, 1, 1)
		}
	})
}

// Request.Cancel is deprecated, and still obeyed by net/http.
func TestWhoCancelsTheRequestDoesNotWait(t *testing.T) {
	play(t, h2.Config{}, after(0), func(t *testing.T, s *stage) {
		s.slow = time.Minute
		leave := make(chan struct{})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://there:80/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Cancel = leave //nolint:staticcheck // deprecated, still obeyed
		began, failed := time.Now(), make(chan error)
		go func() {
			_, _, err := s.Send(r)
			failed <- err
		}()
		synctest.Wait()
		close(leave)
		if err := <-failed; err == nil || time.Since(began) > 0 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		time.Sleep(time.Hour)
	})
}
