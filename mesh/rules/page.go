package rules

import (
	"bytes"
	"slices"
)

// A page is what one file holds. Nobody changes it.
type page struct {
	Text
	body   []byte // Data without the byte order mark
	docs   []*document
	starts []int  // where each begins in body
	fault  *Fault // why the file cannot be read at all
}

// page reads a file, but for what stands in before, which is nil or a valid page.
func (p *Parser) page(t Text, before *page) *page {
	if before != nil && bytes.Equal(before.Data, t.Data) {
		return before
	}
	pg := &page{Text: t, body: bytes.TrimPrefix(t.Data, []byte("\ufeff")), fault: readable(t)}
	switch {
	case pg.fault != nil:
	case isJSON(t.Name):
		pg.add(0, p.document(t.Name, chunk{pg.body, 0, 1}))
	case before == nil:
		p.split(pg, new(page))
	default:
		p.split(pg, before)
	}
	return pg
}

func (pg *page) add(start int, d *document) {
	pg.docs, pg.starts = append(pg.docs, d), append(pg.starts, start)
}

// split fills the page: with the documents of before that stand above the first
// change, with those that are new or changed, and with those of before that stand
// below the last change. Most of a large file is thus compared, and no more.
func (p *Parser) split(pg, before *page) {
	s := splitter{data: pg.body, line: 1}
	pg.keepHead(before, &s)
	longest := min(len(before.body), len(pg.body)) - s.at
	tail := len(pg.body) - sharedTail(before.body, pg.body, longest)
	for {
		if s.at >= tail && pg.keepTail(before, s) {
			return
		}
		c, ok := s.next()
		if !ok {
			return
		}
		pg.add(c.at, p.document(pg.Name, c))
	}
}

// keepHead takes the documents of before that end above the first difference:
// the marker behind them, with the byte that makes it one, belongs to them.
func (pg *page) keepHead(before *page, s *splitter) {
	const marker = len("---\n")
	shared := sharedHead(before.body, pg.body)
	for i := range len(before.docs) - 1 {
		next := before.starts[i+1]
		if next+marker > shared {
			return
		}
		pg.add(before.starts[i], before.docs[i])
		s.at, s.line = next, before.docs[i+1].first
	}
}

// keepTail takes the documents of before from the place of s on, where the rest
// of both is the same, if one begins there.
func (pg *page) keepTail(before *page, s splitter) bool {
	moved := len(pg.body) - len(before.body)
	i, found := slices.BinarySearch(before.starts, s.at-moved)
	if !found {
		return false
	}
	lower := s.line - before.docs[i].first
	for ; i < len(before.docs); i++ {
		pg.add(before.starts[i]+moved, before.docs[i].at(pg.Name, before.docs[i].first+lower))
	}
	return true
}

// sharedBlock is how much is compared at a time: bytes.Equal is fast.
const sharedBlock = 4096

// sharedHead is how many bytes a and b begin with that are the same.
func sharedHead(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for i+sharedBlock <= n && bytes.Equal(a[i:i+sharedBlock], b[i:i+sharedBlock]) {
		i += sharedBlock
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// sharedTail is how many bytes, at most n, a and b end with that are the same.
func sharedTail(a, b []byte, n int) int {
	a, b = a[len(a)-n:], b[len(b)-n:]
	i := n
	for i >= sharedBlock && bytes.Equal(a[i-sharedBlock:i], b[i-sharedBlock:i]) {
		i -= sharedBlock
	}
	for i > 0 && a[i-1] == b[i-1] {
		i--
	}
	return n - i
}
