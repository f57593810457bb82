package main

import (
	"context"
	"net/http"
	"runtime"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

const kib = 1 << 10

// resident is what the heap and the stacks hold.
func resident() float64 {
	runtime.GC()
	runtime.GC() // the first may leave finalizers' garbage
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc + s.StackInuse)
}

func measureMemory(_ plan, t *table) error {
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		return err
	}
	idle, err := idleMesh(mesh.Config{})
	if err != nil {
		return err
	}
	guarded, err := idleMesh(mesh.Config{Identity: ca.Workload("reviews"), Rules: rules.Static(policies)})
	if err != nil {
		return err
	}
	known, used, err := endpointMemory()
	if err != nil {
		return err
	}
	t.section("Memory: heap and stacks")
	t.atMost("an idle Mesh", figure{idle / kib, "KiB"}, 256)
	t.atMost("… with an identity and two policies", figure{guarded / kib, "KiB"}, 256)
	t.atMost("10,000 endpoints of one service, before traffic", figure{known * 10_000 / (1 << 20), "MB"}, 20)
	t.atMost("per endpoint, once it serves", figure{used / kib, "KiB"}, 1)
	return nil
}

// idleMesh is what a Mesh takes that nobody uses, the average of many.
func idleMesh(c mesh.Config) (float64, error) {
	const many = 100
	before := resident()
	var all [many]*mesh.Mesh
	for i := range all {
		m, err := mesh.New(context.Background(), c)
		if err != nil {
			return 0, err
		}
		defer m.Close()
		m.Transport(nil)
		m.Handler(http.NotFoundHandler())
		all[i] = m
	}
	return (resident() - before) / many, nil
}

// endpointMemory is what an endpoint takes, before the first request and after
// a thousand; what the endpoints are made of is counted in.
func endpointMemory() (known, used float64, err error) {
	const many = 10_000
	before := resident()
	w := newWorld(cannedEndpoints(many), 2, retryReady)
	m, err := w.mesh()
	if err != nil {
		return 0, 0, err
	}
	defer m.Close()
	known = (resident() - before) / many
	call := get(m.Transport(canned{}))
	for range 1000 {
		call()
	}
	used = (resident() - before) / many
	runtime.KeepAlive(w)
	return known, used, nil
}
