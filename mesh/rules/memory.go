package rules

import "crypto/sha256"

// A digest stands for a text and how it is read.
type digest struct {
	sum  [sha256.Size]byte
	json bool
}

// document reads a chunk, or remembers it.
func (p *Parser) document(file string, c chunk) *document {
	text := digest{sha256.Sum256(c.text), isJSON(file)}
	if d := p.known[text]; d != nil && (d.stands(file, c.line) || d.movable()) {
		return d.at(file, c.line)
	}
	if p.known == nil {
		p.known = map[digest]*document{}
	}
	d := newDocument(file, c)
	d.text = text
	p.known[text] = d
	return d
}

// forget drops the texts that stand in neither of two editions once there are
// more of them than of others.
func (p *Parser) forget(a, b *edition) {
	const slack = 100
	if len(p.known) <= slack+2*(a.documents()+b.documents()) {
		return
	}
	clear(p.known)
	for _, r := range []*edition{b, a} {
		for _, pg := range r.pages {
			for _, d := range pg.docs {
				p.known[d.text] = d
			}
		}
	}
}

// movable says that no message of the document speaks of lines.
func (d *document) movable() bool { return d.faults.Err() == nil }

func (d *document) stands(file string, line int) bool { return d.file == file && d.first == line }

// at is the document in another place.
func (d *document) at(file string, line int) *document {
	if d.stands(file, line) {
		return d
	}
	moved := &document{text: d.text, file: file, first: line}
	for _, m := range d.members {
		moved.members = append(moved.members, m.at(file, m.meta().Line+line-d.first))
	}
	for _, f := range d.faults {
		f.File, f.Line = file, f.Line+line-d.first
		moved.faults = append(moved.faults, f)
	}
	return moved
}
