package telemetry_test

import (
	"encoding/base64"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/inmesh-go/inmesh/mesh/telemetry"
)

func TestMetadataGoBothWays(t *testing.T) {
	b := open(t)
	for _, w := range []telemetry.Workload{{}, {Name: "a"}, productpage, {Name: "a", Namespace: "b", App: "c", Version: "d", Service: "e", Revision: "f", Cluster: "g"}} {
		_, value := w.Metadata()
		for range 2 { // the second time from memory
			if got := b.Peer(telemetry.Carrier{Header: http.Header{telemetry.MetadataHeader: {value}}}); got != w {
				t.Errorf("got %+v, want %+v", got, w)
			}
		}
	}
	_, value := reviews.Metadata()
	if got := b.Peer(telemetry.Carrier{Header: map[string][]string{"x-envoy-peer-metadata": {value}}, Lower: true}); got != principal(reviews, "") {
		t.Errorf("of gRPC: got %+v, want all but the principal", got)
	}
}

// TestMetadataOfAProxy reads what Istio's proxy sends: more fields than are used,
// and base64 with or without padding.
func TestMetadataOfAProxy(t *testing.T) {
	s, err := structpb.NewStruct(map[string]any{
		"NAME": "reviews-v2-7d8f-abc", "NAMESPACE": "default", "WORKLOAD_NAME": "reviews-v2", "CLUSTER_ID": "Kubernetes",
		"OWNER":  "kubernetes://apis/apps/v1/namespaces/default/deployments/reviews-v2",
		"LABELS": map[string]any{"app": "reviews", "version": "v2", "service.istio.io/canonical-name": "reviews", "service.istio.io/canonical-revision": "v2", "pod-template-hash": "x"},
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := proto.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	want := telemetry.Workload{Name: "reviews-v2", Namespace: "default", App: "reviews", Version: "v2", Service: "reviews", Revision: "v2", Cluster: "Kubernetes"}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding} {
		if got, err := telemetry.ParseMetadata(encoding.EncodeToString(raw)); got != want || err != nil {
			t.Errorf("got %+v (%v), want %+v", got, err, want)
		}
	}
}

func TestMetadataThatAreNone(t *testing.T) {
	b := open(t)
	for _, value := range []string{"", "?", "AAAA", strings.Repeat("A", 9000)} {
		if got := b.Peer(telemetry.Carrier{Header: http.Header{telemetry.MetadataHeader: {value}}}); !reflect.ValueOf(got).IsZero() {
			t.Errorf("%.10s: got %+v", value, got)
		}
	}
}

func FuzzParseMetadata(f *testing.F) {
	_, value := reviews.Metadata()
	f.Add(value)
	f.Fuzz(func(t *testing.T, s string) {
		w, err := telemetry.ParseMetadata(s)
		if err != nil {
			return
		}
		_, value := w.Metadata()
		if back, err := telemetry.ParseMetadata(value); back != w || err != nil {
			t.Errorf("%q: got %+v, and again %+v (%v)", s, w, back, err)
		}
	})
}
