package main

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// policies are such as a small service has.
const policies = `---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: readers}
spec:
  rules:
  - from: [{source: {principals: [cluster.local/ns/default/sa/productpage]}}]
    to: [{operation: {methods: [GET], paths: [/reviews/*]}}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: internal}
spec:
  action: DENY
  rules:
  - to: [{operation: {paths: [/internal/*]}}]
`

// A door is a handler that does nothing, what stands before it, and what comes in.
type door struct {
	name    string
	handler http.Handler
	request *http.Request
	answer  *nowhere
}

// nowhere is a ResponseWriter that keeps nothing but the status.
type nowhere struct {
	header http.Header
	status int // 0: none was written
}

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n *nowhere) WriteHeader(status int)      { n.status = status }

func (d door) pass() { d.handler.ServeHTTP(d.answer, d.request) }

// opens reports whether requests are let in: to be refused costs something else.
func (d door) opens() error {
	if d.pass(); d.answer.status != 0 {
		return fmt.Errorf("%s: the request is answered %d", d.name, d.answer.status)
	}
	return nil
}

func measureDoor(p plan, t *table) error {
	doors, shut, err := openDoors()
	if err != nil {
		return err
	}
	defer shut()
	var contenders []contender
	for _, d := range doors {
		if err := d.opens(); err != nil {
			return err
		}
		contenders = append(contenders, each(d.pass))
	}
	t.section("The door: inbound requests over mutual TLS, in memory, one core")
	onCores(1, func() {
		for i, each := range alternate(p, cpu, contenders...) {
			t.note(doors[i].name, figure{best(each), "ns"})
			t.note("… allocations", figure{testing.AllocsPerRun(1000, doors[i].pass), ""})
		}
	})
	return nil
}

// entrances are what may stand before a handler. None of the telemetry is listened
// to.
var entrances = []struct {
	name, rules string
	silent      bool
}{
	{"mesh.Handler around it, without rules", "", false},
	{"mesh.Handler around it, two policies", policies, false},
	{"… without telemetry", policies, true},
}

// openDoors opens them all, that of the bare handler first.
func openDoors() (doors []door, shut func(), err error) {
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		return nil, nil, err
	}
	caller, err := inbound(ca)
	if err != nil {
		return nil, nil, err
	}
	var open []*mesh.Mesh
	shut = func() {
		for _, m := range open {
			_ = m.Close()
		}
	}
	idle := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	doors = []door{{"bare handler, which does nothing", idle, caller, newNowhere()}}
	for _, e := range entrances {
		m, err := newMesh(ca, e.rules, e.silent)
		if err != nil {
			shut()
			return nil, nil, err
		}
		open = append(open, m)
		doors = append(doors, door{e.name, m.Handler(idle), caller, newNowhere()})
	}
	return doors, shut, nil
}

func newNowhere() *nowhere { return &nowhere{header: http.Header{}} }

// newMesh is that of reviews.
func newMesh(ca *tlsid.CA, by string, silent bool) (*mesh.Mesh, error) {
	return mesh.New(context.Background(), mesh.Config{
		Workload: mesh.Workload{Service: "reviews"}, Identity: ca.Workload("reviews"), Rules: rules.Static(by), NoTelemetry: silent,
	})
}
