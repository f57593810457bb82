package authz

import (
	"errors"
	"fmt"
	"iter"
	"net/url"
	"slices"
	"strings"
)

// Normalization says what is done with a path before policies and handlers see
// it. The words are those of Istio's meshConfig.pathNormalization.
//
// Whatever it is, no handler takes a path for one that the policies have not
// seen. A path that handlers can read in several ways, /a%2Fb or /a//b, is
// matched in all of them: a rule that denies matches if one reading does, a rule
// that allows only if all do. A path that cannot be read safely is refused.
type Normalization uint8

const (
	// Base resolves . and .. (RFC 3986 §5.2.4), %2e too, and takes a backslash
	// for a slash. It is the default.
	Base Normalization = iota
	// None changes nothing, and refuses what Base would have to resolve.
	None
	// MergeSlashes is Base, and takes several slashes for one.
	MergeSlashes
	// DecodeAndMergeSlashes is MergeSlashes, and takes %2F and %5C for slashes.
	DecodeAndMergeSlashes
)

// String returns Istio's word: BASE, NONE, MERGE_SLASHES, DECODE_AND_MERGE_SLASHES.
func (n Normalization) String() string {
	return [...]string{"BASE", "NONE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"}[n]
}

// A Path is a path in its normal form. The handler must see that form and no
// other: give it Decoded and Escaped as its URL's Path and RawPath.
type Path struct {
	decoded, escaped string
	// others are the further ways in which a handler may read decoded.
	others []string
}

// Decoded returns the path as [url.URL.Path] has it.
func (p Path) Decoded() string { return p.decoded }

// Escaped returns the path as [url.URL.RawPath] has it. It is the path that was
// normalized if there was nothing to do.
func (p Path) Escaped() string { return p.escaped }

// Readings are all ways in which a handler may read the path, decoded.
func (p Path) Readings() iter.Seq[string] {
	return func(yield func(string) bool) {
		if !yield(p.decoded) {
			return
		}
		for _, other := range p.others {
			if !yield(other) {
				return
			}
		}
	}
}

// LiteralPath returns a path that nobody decodes: of gRPC, /package.Service/Method.
func LiteralPath(s string) Path { return Path{decoded: s, escaped: s} }

// Path returns the normal form of an escaped path, [url.URL.EscapedPath], and an
// error for one that is to be answered with 400. No path is /, as RFC 9110 §4.2.3
// has it, and * of OPTIONS is *. It copies only what there is to decode or to do.
func (n Normalization) Path(escaped string) (Path, error) {
	switch {
	case escaped == "":
		escaped = "/"
	case escaped == "*":
		return LiteralPath(escaped), nil
	case escaped[0] != '/':
		return Path{}, errors.New("path: it does not begin with a slash")
	}
	if isNormal(escaped) {
		if strings.IndexByte(escaped, '%') < 0 {
			return Path{decoded: escaped, escaped: escaped}, nil
		}
		if decoded, err := url.PathUnescape(escaped); err == nil {
			return Path{decoded: decoded, escaped: escaped}, nil
		}
	}
	p, err := n.normalize(escaped)
	if err != nil {
		return Path{}, fmt.Errorf("path: %w", err)
	}
	return p, nil
}

// isNormal reports whether there is one way to read the path. About segments
// that begin with a dot it does not know.
func isNormal(s string) bool {
	for i := range len(s) {
		switch s[i] {
		case '\\':
			return false
		case '%':
			if isDelicate(s[i:]) {
				return false
			}
		case '/':
			if i+1 < len(s) && (s[i+1] == '/' || s[i+1] == '.') {
				return false
			}
		}
	}
	return true
}

// isDelicate reports whether s begins with the percent-encoding of a slash, a
// backslash, a dot or NUL, or with what may be none.
func isDelicate(s string) bool {
	if len(s) < 3 {
		return true
	}
	switch [2]byte{s[1], s[2] | 0x20} { // in lower case; of a digit nothing changes
	case [2]byte{'2', 'f'}, [2]byte{'5', 'c'}, [2]byte{'2', 'e'}, [2]byte{'0', '0'}:
		return true
	}
	return false
}

func (n Normalization) normalize(escaped string) (Path, error) {
	raw := strings.Split(n.slashes(escaped)[1:], "/")
	segments := make([]segment, 0, len(raw))
	for i, r := range raw {
		s, err := newSegment(r)
		if err != nil {
			return Path{}, err
		}
		if segments, err = n.add(segments, s, i == len(raw)-1); err != nil {
			return Path{}, err
		}
	}
	return newPath(n.merge(segments)), nil
}

// slashes makes a slash of what is one.
func (n Normalization) slashes(escaped string) string {
	switch n {
	case None:
		return escaped
	case DecodeAndMergeSlashes:
		return strings.NewReplacer(`\`, "/", "%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/").Replace(escaped)
	}
	return strings.ReplaceAll(escaped, `\`, "/")
}

// add resolves a segment.
func (n Normalization) add(segments []segment, s segment, last bool) ([]segment, error) {
	dots := s.text == "." || s.text == ".."
	switch {
	case n == None && dots || s.hidesDots():
		return nil, fmt.Errorf("it has a . or .. segment that %s does not resolve", n)
	case dots:
		if s.text == ".." && len(segments) > 0 {
			segments = segments[:len(segments)-1]
		}
		if !last {
			return segments, nil
		}
		s = segment{} // RFC 3986: "/b/.." is "/"
	}
	return append(segments, s), nil
}

// merge takes several slashes for one: "after path normalization to catch potential
// edge cases with percent encoding" (Envoy, conn_manager_utility.cc), so that .. takes
// back what stands between two of them, be it nothing.
func (n Normalization) merge(segments []segment) []segment {
	last := len(segments) - 1
	if n != MergeSlashes && n != DecodeAndMergeSlashes || last < 0 {
		return segments
	}
	inner := slices.DeleteFunc(segments[:last:last], func(s segment) bool { return s.text == "" })
	return append(inner, segments[last])
}

// A segment is what stands between two slashes.
type segment struct{ raw, text string }

func newSegment(raw string) (segment, error) {
	text, err := url.PathUnescape(raw)
	if err != nil {
		return segment{}, fmt.Errorf("segment %.100q: bad percent-encoding", raw)
	}
	if strings.IndexByte(text, 0) >= 0 {
		return segment{}, fmt.Errorf("segment %.100q: NUL", raw)
	}
	return segment{raw, text}, nil
}

// hidesDots reports whether a dot segment comes to light by decoding an escaped
// slash: /public/..%2Fadmin. What such a path names depends on where a handler
// is mounted, so that nobody can match it.
func (s segment) hidesDots() bool {
	if !strings.ContainsAny(s.text, `/\`) {
		return false
	}
	for part := range strings.SplitSeq(strings.ReplaceAll(s.text, `\`, "/"), "/") {
		if part == "." || part == ".." {
			return true
		}
	}
	return false
}

// newPath puts segments together.
func newPath(segments []segment) Path {
	var raw, text []string
	for _, s := range segments {
		raw, text = append(raw, s.raw), append(text, s.text)
	}
	p := Path{decoded: "/" + strings.Join(text, "/"), escaped: "/" + strings.Join(raw, "/")}
	for i := range text {
		text[i] = strings.ReplaceAll(text[i], "/", "%2F")
	}
	p.readAs(p.decoded)
	p.readAs("/" + strings.Join(text, "/")) // a mux matches segment by segment, and decodes each
	return p
}

// readAs adds the readings of what may be read as decoded: for some, file
// systems and path.Clean among them, a backslash is a slash, several slashes are
// one, or both.
func (p *Path) readAs(path string) {
	for _, reading := range []string{path, strings.ReplaceAll(path, `\`, "/")} {
		for _, r := range []string{reading, merge(reading)} {
			if r != p.decoded && !slices.Contains(p.others, r) {
				p.others = append(p.others, r)
			}
		}
	}
}

func merge(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}
