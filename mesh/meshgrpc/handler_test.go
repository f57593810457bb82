package meshgrpc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// The deadline that an HTTP handler inherits is for the beginning of its answer: a stream
// that it passes on goes on as long as it does, or the route's timeout lets it.
func TestAStreamThatAnHTTPHandlerPassesOnMayTakeLonger(t *testing.T) {
	for kind, desc := range map[string]*grpc.StreamDesc{
		"of answers": {ServerStreams: true}, "of both": {ServerStreams: true, ClientStreams: true},
	} {
		for name, c := range map[string]struct {
			rule string
			want codes.Code
			took time.Duration
		}{
			"no rule":             {onlyOnce, codes.OK, time.Minute},
			"the route's timeout": {onlyOnce + "\n    timeout: 30s", codes.DeadlineExceeded, 30 * time.Second},
		} {
			t.Run(kind+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFleet(t)
					f.start("ratings", "v1").double.onStream(func(s bidi) error {
						_ = s.SendHeader(metadata.MD{})
						select {
						case <-time.After(time.Minute):
							return nil
						case <-s.Context().Done():
							return s.Context().Err()
						}
					})
					m := f.mesh(mesh.Config{Rules: rules.Static(virtualService(c.rule))})
					conn, began := f.dialMesh(m, "ratings"), time.Now()
					var got error
					h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						got = listen(r.Context(), conn, desc, func() { w.WriteHeader(http.StatusOK) })
					}))
					r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://page/", nil)
					r.Header.Set("X-Envoy-Expected-Rq-Timeout-Ms", "2000")
					h.ServeHTTP(httptest.NewRecorder(), r)
					if took := time.Since(began); status.Code(got) != c.want || took != c.took {
						t.Errorf("got %v after %v, want %v after %v", got, took, c.want, c.took)
					}
				})
			})
		}
	}
}

// A deadline of its own a handler does not give up, and the server is told it.
func TestAStreamThatAnHTTPHandlerGivesATimeTellsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, told := newFleet(t), false
		f.start("ratings", "v1").double.onStream(func(s bidi) error {
			_, told = s.Context().Deadline()
			return nil
		})
		m := f.mesh(mesh.Config{})
		conn := f.dialMesh(m, "ratings")
		h := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), time.Second)
			defer cancel()
			if err := listen(ctx, conn, &grpc.StreamDesc{ServerStreams: true}, func() { w.WriteHeader(http.StatusOK) }); err != nil {
				t.Error(err)
			}
		}))
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://page/", nil)
		r.Header.Set("X-Envoy-Expected-Rq-Timeout-Ms", "2000")
		h.ServeHTTP(httptest.NewRecorder(), r)
		if !told {
			t.Error("the server was told no deadline")
		}
	})
}

// listen begins once the stream has, and returns how that has ended.
func listen(ctx context.Context, conn *grpc.ClientConn, desc *grpc.StreamDesc, begin func()) error {
	s, err := conn.NewStream(ctx, desc, "/grpc.testing.TestService/FullDuplexCall")
	if err != nil {
		return err
	}
	if err := s.SendMsg(message(1)); err != nil {
		return err
	}
	_ = s.CloseSend()
	if _, err := s.Header(); err != nil {
		return err
	}
	begin()
	return s.RecvMsg(new(testpb.StreamingOutputCallResponse))
}
