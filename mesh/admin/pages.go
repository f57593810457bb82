package admin

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed pages
var embedded embed.FS

// pages serves the files below pages. Browsers keep them, and ask whether they
// have changed.
func pages() http.Handler {
	files := map[string]*page{}
	_ = fs.WalkDir(embedded, "pages", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[strings.TrimPrefix(name, "pages/")] = newPage(name)
		}
		return err
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := files[indexed(strings.TrimPrefix(r.URL.Path, "/"))]
		if p == nil {
			http.NotFound(w, r)
			return
		}
		p.serve(w, r)
	})
}

// A page is one embedded file.
type page struct {
	text      []byte
	kind, tag string
}

func newPage(name string) *page {
	text, _ := embedded.ReadFile(name) // it is embedded
	sum := sha256.Sum256(text)
	return &page{text, kindOf(path.Ext(name)), `"` + hex.EncodeToString(sum[:12]) + `"`}
}

// kindOf does not ask the machine, whose tables differ.
func kindOf(ext string) string {
	switch ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	}
	return "text/plain; charset=utf-8"
}

func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", p.tag)
	if r.Header.Get("If-None-Match") == p.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", p.kind)
	_, _ = w.Write(p.text)
}

// indexed: a directory is its index.
func indexed(name string) string {
	if name == "" || strings.HasSuffix(name, "/") {
		return name + "index.html"
	}
	return name
}
