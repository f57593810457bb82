package rules

import (
	"crypto/sha256"
	"hash"
)

// A generation is what one reading of all files held, by text and by place.
type generation struct {
	byText  map[digest]*document
	byPlace map[place]*document
}

// A digest stands for a text and how it is read.
type digest struct {
	sum  [sha256.Size]byte
	json bool
}

// A place is a text and where it stands.
type place struct {
	text digest
	file string
	line int
}

func newGeneration() generation {
	return generation{map[digest]*document{}, map[place]*document{}}
}

func (g generation) put(at place, d *document) {
	g.byPlace[at] = d
	g.byText[at.text] = d
}

// document reads a chunk, or remembers it.
func (p *Parser) document(file string, c chunk, now generation, version hash.Hash) *document {
	at := place{digest{sha256.Sum256(c.text), isJSON(file)}, file, c.line}
	version.Write(at.text.sum[:])
	d := p.recall(at)
	if d == nil {
		d = newDocument(file, c)
	}
	now.put(at, d)
	return d
}

func (p *Parser) recall(at place) *document {
	for _, g := range []generation{p.good, p.last} {
		if d := g.byPlace[at]; d != nil {
			return d
		}
	}
	for _, g := range []generation{p.good, p.last} {
		if d := g.byText[at.text]; d != nil && d.movable() {
			return d.at(at.file, at.line)
		}
	}
	return nil
}

// keep remembers the generation. The last good one outlives bad ones, so that a
// file that is broken and mended changes nothing else.
func (p *Parser) keep(now generation, faults Faults) {
	if faults.Err() == nil {
		p.good, p.last = now, generation{}
		return
	}
	p.last = now
}

// movable says that no message of the document speaks of lines.
func (d *document) movable() bool { return d.faults.Err() == nil }

// at is the document in another place.
func (d *document) at(file string, line int) *document {
	moved := &document{first: line}
	for _, m := range d.members {
		moved.members = append(moved.members, m.at(file, m.meta().Line+line-d.first))
	}
	for _, f := range d.faults {
		f.File, f.Line = file, f.Line+line-d.first
		moved.faults = append(moved.faults, f)
	}
	return moved
}
