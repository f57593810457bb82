package rules

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// An edition is what all files together came to. Nobody changes it.
type edition struct {
	pages  []*page
	byName map[string]int // of pages; nil where two have one name
	set    *Set
	faults Faults // all, in order
}

// newEdition puts the pages together and looks at what is between their objects.
func newEdition(pages []*page) *edition {
	e := &edition{pages: pages, byName: map[string]int{}}
	a := &assembly{places: make(map[identity]*Meta, e.documents())}
	for i, pg := range pages {
		e.byName[pg.Name] = i
		a.faults = append(a.faults, pg.faults()...)
		for _, d := range pg.docs {
			a.add(d.members)
		}
	}
	if len(e.byName) < len(pages) {
		e.byName = nil
	}
	e.set, e.faults = a.finish()
	e.set.Version = e.version()
	return e
}

// faults are all that is wrong with the file, as far as it is told.
func (pg *page) faults() Faults {
	if pg.fault != nil {
		return Faults{*pg.fault}
	}
	var t tally
	for _, d := range pg.docs {
		for _, fault := range d.faults {
			t.append(fault, maxFileFaults)
		}
	}
	return t.all(Fault{File: pg.Name, Line: 1})
}

func (e *edition) documents() int {
	n := 0
	for _, pg := range e.pages {
		n += len(pg.docs)
	}
	return n
}

func (e *edition) version() string {
	h := sha256.New()
	for _, pg := range e.pages {
		for _, d := range pg.docs {
			h.Write(d.text.sum[:])
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// page is the page of this name, which stands at i as a rule; nil for none.
func (e *edition) page(i int, name string) *page {
	if i < len(e.pages) && e.pages[i].Name == name {
		return e.pages[i]
	}
	if j, ok := e.byName[name]; ok {
		return e.pages[j]
	}
	return nil
}

// inOrder sorts faults by file and line. What stands on one line is sorted too,
// so that the order does not tell how the faults were found.
func inOrder(faults Faults) Faults {
	slices.SortFunc(faults, func(a, b Fault) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			strings.Compare(a.Field, b.Field), strings.Compare(a.Message, b.Message),
			strings.Compare(a.Name, b.Name), strings.Compare(a.Namespace, b.Namespace))
	})
	return faults
}
