package mesh

import (
	"encoding/binary"
	"net/url"
	"strings"

	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// pathOf is the path that rules see. Most paths have nothing to escape or to
// resolve, which one look at the bytes tells.
func pathOf(u *url.URL) string {
	if u.RawPath == "" && plainPath(u.Path) {
		return u.Path
	}
	return plan.NormalizePath(u.EscapedPath())
}

// opaqueTarget is the path and the query of a URL whose sender has spelt them himself:
// net/http sends Opaque as it stands, and a host before it that begins with two slashes.
func opaqueTarget(u *url.URL) (path, query string) {
	path, query, _ = strings.Cut(u.RequestURI(), "?")
	if rest, absolute := strings.CutPrefix(path, u.Scheme+"://"); absolute {
		_, path, _ = strings.Cut(rest, "/")
		path = "/" + path
	}
	return plan.NormalizePath(path), query
}

// retarget writes into u a path that a rule has rewritten, and the query that was
// asked for. As in Envoy, which puts the one before the other as text, what follows a
// question mark in the path begins the query.
func retarget(u *url.URL, path, query string) {
	path, own, asks := strings.Cut(path, "?")
	switch {
	case asks && query != "":
		query = own + "?" + query
	case asks:
		query = own
	}
	u.Opaque, u.RawPath, u.RawQuery = "", escapeStray(path), query
	u.Path, _ = url.PathUnescape(u.RawPath) // which has no bad escape
}

// escapeStray escapes what no path can have, and nothing else: of a path with one
// stray byte net/url escapes all anew, and makes a slash of %2F.
func escapeStray(path string) string {
	if sendsAsIs(path) {
		return path
	}
	var b strings.Builder
	for i := range len(path) {
		switch rest := path[i:]; {
		case rest[0] == '%' && sendsAsIs(rest[:min(3, len(rest))]), sendsAsIs(rest[:1]):
			b.WriteByte(rest[0])
		default:
			b.WriteString(url.PathEscape(rest[:1]))
		}
	}
	return b.String()
}

func sendsAsIs(path string) bool {
	plain, err := url.PathUnescape(path)
	return err == nil && (&url.URL{Path: plain, RawPath: path}).EscapedPath() == path
}

func plainPath(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	for ; len(path) >= 8; path = path[8:] {
		if !alphanumeric(binary.LittleEndian.Uint64([]byte(path[:8]))) && !plain(path[:8]) {
			return false
		}
	}
	return plain(path)
}

func plain(path string) bool {
	for i := range len(path) {
		if !plainBytes[path[i]] {
			return false
		}
	}
	return true
}

// plainBytes are letters, digits, "/", "-" and "_".
var plainBytes = func() (plain [256]bool) {
	for c := range plain {
		plain[c] = 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '/' || c == '-' || c == '_'
	}
	return plain
}()

// each is one in each byte of a word, and tops the bits of which none is set in ASCII.
const (
	each = 0x0101010101010101
	tops = 0x80 * each
)

// alphanumeric reports whether eight bytes are letters, digits and "/", which stands
// before the digits in ASCII. To take a bound from a byte whose top bit is set leaves
// that bit set unless the byte is below the bound: so eight are compared at once.
func alphanumeric(w uint64) bool {
	folded := w | 0x20*each // letters are small then, and nothing else becomes one
	digits := from(w, '/') &^ from(w, '9'+1)
	letters := from(folded, 'a') &^ from(folded, 'z'+1)
	return w&tops == 0 && (digits|letters)&tops == tops
}

// from sets the top bits of the bytes that are not below bound, in ASCII.
func from(w, bound uint64) uint64 { return (w | tops) - bound*each }
