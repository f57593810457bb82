package mesh

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/inmesh-go/inmesh/mesh/internal/guard"
)

// refuse answers for the handler. A gRPC caller is told in its own terms, as
// Envoy's local replies do.
func refuse(w http.ResponseWriter, r *http.Request, why *guard.Refusal) {
	h := w.Header()
	if why.Close {
		h.Set("Connection", "close")
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		h.Set("Content-Type", "application/grpc")
		h.Set("Grpc-Status", strconv.Itoa(grpcStatus(why.Status)))
		h.Set("Grpc-Message", why.Message)
		w.WriteHeader(http.StatusOK)
		return
	}
	if why.Challenge != "" {
		h.Set("WWW-Authenticate", why.Challenge)
	}
	if why.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(why.RetryAfter))
	}
	h.Set("Content-Type", "text/plain")
	w.WriteHeader(why.Status)
	_, _ = w.Write([]byte(why.Message))
}

// grpcStatus is Envoy's Grpc::Utility::httpToGrpcStatus, of the statuses that a
// Refusal has.
func grpcStatus(http int) int {
	switch http {
	case 400:
		return 13 // INTERNAL
	case 401:
		return 16 // UNAUTHENTICATED
	case 403:
		return 7 // PERMISSION_DENIED
	case 429:
		return 14 // UNAVAILABLE
	}
	return 2 // UNKNOWN
}
