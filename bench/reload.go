package main

import (
	"context"
	"strings"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A reload is a mesh whose rules are replaced again and again.
type reload struct {
	mesh     *mesh.Mesh
	source   handed
	inForce  chan struct{}
	parser   rules.Parser
	versions [2]string // of the same 10,000 objects, of which one differs
	turn     int
}

func newReload() (*reload, error) {
	one := objectsOf(10_000, withTimeouts)
	r := &reload{
		inForce:  make(chan struct{}, 1),
		versions: [2]string{one, strings.Replace(one, "timeout: 5s", "timeout: 6s", 1)},
	}
	set, err := r.parse()
	if err != nil {
		return nil, err
	}
	r.source = newHanded(set)
	r.mesh, err = mesh.New(context.Background(), mesh.Config{
		Rules:    r.source,
		Observer: mesh.Observer{Rules: func(mesh.RulesInfo) { r.inForce <- struct{}{} }},
	})
	if err == nil {
		<-r.inForce
	}
	return r, err
}

// parse reads the other version; all but one object is as before.
func (r *reload) parse() (*rules.Set, error) {
	r.turn++
	return r.parser.Parse(rules.Text{Name: "world.yaml", Data: []byte(r.versions[r.turn%2])})
}

// apply compiles a set and puts it in force.
func (r *reload) apply(set *rules.Set) {
	r.source <- set
	<-r.inForce
}

// settle puts the parser's own objects in force, so that the next version differs
// in one.
func (r *reload) settle() error {
	set, err := r.parse()
	if err == nil {
		r.apply(set)
	}
	return err
}

func measureRules(p plan, t *table) error {
	r, err := newReload()
	if err != nil {
		return err
	}
	defer r.mesh.Close()
	var read, applied, reread, total []float64
	for range p.rounds {
		start := time.Now()
		set, err := rules.Parse("world.yaml", []byte(r.versions[r.turn%2]))
		if err != nil {
			return err
		}
		read = append(read, ms(start))
		r.apply(&rules.Set{}) // lest something of the set before stand
		start = time.Now()
		r.apply(set)
		applied = append(applied, ms(start))
		if err := r.settle(); err != nil {
			return err
		}
		start = time.Now()
		if set, err = r.parse(); err != nil {
			return err
		}
		reread = append(reread, ms(start))
		r.apply(set)
		total = append(total, ms(start))
	}
	t.section("Rules: 10,000 objects, off the request path")
	t.note("read and validated", figure{median(read), "ms"})
	t.atMost("compiled and swapped", figure{median(applied), "ms"}, 250)
	t.note("one object changed: read again", figure{median(reread), "ms"})
	t.atMost("… compiled and swapped", figure{median(total), "ms"}, 10)
	return nil
}

func ms(since time.Time) float64 { return float64(time.Since(since)) / float64(time.Millisecond) }
