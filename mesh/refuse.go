package mesh

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/inmesh-go/inmesh/mesh/internal/engine"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
)

// refuse answers for the handler. A gRPC caller is told in its own terms, as
// Envoy's local replies do.
func refuse(w http.ResponseWriter, r *http.Request, why *guard.Refusal) {
	h := w.Header()
	if why.Close {
		h.Set("Connection", "close")
	}
	if why.Flag == "RL" {
		h.Set("X-Envoy-Ratelimited", "true") // callers' proxies know by it not to try again
	}
	if speaksGRPC(r.Header.Get("Content-Type")) {
		refuseGRPC(w, why)
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

func refuseGRPC(w http.ResponseWriter, why *guard.Refusal) {
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	h.Set("Grpc-Status", strconv.Itoa(engine.GRPCStatus(why.Status)))
	h.Set("Grpc-Message", why.Message)
	if why.RetryAfter > 0 {
		h.Set("Grpc-Retry-Pushback-Ms", strconv.Itoa(1000*why.RetryAfter))
	}
	w.WriteHeader(http.StatusOK)
}

// speaksGRPC is Envoy's Grpc::Common::hasGrpcContentType: application/grpc and
// application/grpc+proto, not application/grpc-web, whose clients read HTTP.
func speaksGRPC(contentType string) bool {
	rest, ok := strings.CutPrefix(contentType, "application/grpc")
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ';')
}
