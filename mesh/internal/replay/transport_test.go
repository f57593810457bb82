package replay_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/inmesh-go/inmesh/mesh/internal/replay"
)

// A refuser answers 503 to the first n requests without reading them, and hands
// back the hash of the others' bodies, whose reading it begins after the response.
func refuser(n int32) http.Handler {
	var seen atomic.Int32
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if seen.Add(1) <= n {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		hash := sha256.New()
		_, _ = io.Copy(hash, r.Body)
		_, _ = w.Write(hash.Sum(nil))
	})
}

// sendUntilAccepted is the loop that a RoundTripper makes around a Body.
func sendUntilAccepted(t *testing.T, rt http.RoundTripper, url string, b *replay.Body) *http.Response {
	t.Helper()
	for {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, next(t, b))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := rt.RoundTrip(req)
		if err == nil && resp.StatusCode == http.StatusOK {
			return resp
		}
		if err == nil {
			resp.Body.Close()
		}
	}
}

func TestTransportsSendTheWholeBodyAgain(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	want := sha256.Sum256(data)
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			server := httptest.NewUnstartedServer(refuser(3))
			server.EnableHTTP2 = protocol == "HTTP/2.0"
			server.StartTLS()
			defer server.Close()
			o := newOriginal(t, string(data))
			b := replay.New(o, nil, -1, 2<<20)
			resp := sendUntilAccepted(t, server.Client().Transport, server.URL, b)
			b.Finish()
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || !bytes.Equal(got, want[:]) || resp.Proto != protocol {
				t.Errorf("over %s the server got %x, want %x (%v)", resp.Proto, got, want, err)
			}
			if mirror, err := b.Copy(); err != nil {
				t.Error(err)
			} else if copied, _ := io.ReadAll(mirror); !bytes.Equal(copied, data) {
				t.Errorf("the copy has %d bytes", len(copied))
			}
			server.CloseClientConnections()
		})
	}
}
