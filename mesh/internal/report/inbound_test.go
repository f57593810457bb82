package report_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/report"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A peer that says much of itself, and each time something else, takes no memory.
func TestWhatPeersSayIsRememberedWithinBounds(t *testing.T) {
	told, err := telemetry.New(telemetry.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	r := report.New(told, new(tlsid.Current), telemetry.Service{})
	peer, err := tlsid.ParseID("spiffe://cluster.local/ns/default/sa/productpage")
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	for i := range 100 {
		var in report.Inbound
		ctx := in.Begin(context.Background(), r, time.Now(), telemetry.Carrier{}, "GET")
		s := in.Outcome()
		s.Peer, s.Metadata = peer, fmt.Sprint(i)+strings.Repeat("a", 1<<20)
		in.End(ctx, s)
	}
	if grown := heap() - before; grown > 16<<20 {
		t.Errorf("%d MB are kept of 100 requests", grown>>20)
	}
	runtime.KeepAlive(r)
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
