package mesh_test

import (
	"io"
	"net/http"
	"sync"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/inmesh-go/inmesh/mesh"
)

// Trailers come in while the end of the body is read. Who closes it meanwhile, on
// another goroutine, has them not looked at.
func TestTrailersThatAreBeingReadAreLeftAlone(t *testing.T) {
	s := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = io.WriteString(w, "text")
		w.Header().Set("Grpc-Status", "0")
	}))
	for name, url := range map[string]string{"the mesh's": "http://play/", "somebody else's": s.URL} {
		t.Run(name, func(t *testing.T) {
			c := carry(t, services{"play": {s.Listener.Addr().String()}}, false, mesh.Config{Telemetry: newAudience(sdktrace.NeverSample()).config()})
			for range 300 {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/grpc")
				resp := mustAnswer(t, c, r)
				var reading sync.WaitGroup
				reading.Go(func() { _, _ = io.Copy(io.Discard, resp.Body) })
				_ = resp.Body.Close()
				reading.Wait()
			}
			c.mustBeIdle(t)
		})
	}
}
