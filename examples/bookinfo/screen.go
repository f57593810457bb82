package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// A screen is where the tour writes. On a terminal a table stays at the bottom,
// redrawn in place, and events scroll past above it; elsewhere all are lines one
// after the other. It is safe for concurrent use.
type screen struct {
	terminal bool

	mu    sync.Mutex // guards the writer and table
	w     io.Writer
	table []string // as drawn last
}

func newScreen(w io.Writer, terminal bool) *screen { return &screen{w: w, terminal: terminal} }

// event writes a line, or several, with the time.
func (s *screen) event(format string, args ...any) {
	text := strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "\n           ")
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	s.eraseTo(&b)
	fmt.Fprintf(&b, "%s   %s\n", time.Now().Format(time.TimeOnly), text)
	s.drawTo(&b)
	io.WriteString(s.w, b.String())
}

// draw replaces the table.
func (s *screen) draw(lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	s.eraseTo(&b)
	s.table = lines
	s.drawTo(&b)
	io.WriteString(s.w, b.String())
}

// eraseTo moves up over the table and clears what is below (ECMA-48 CUU, ED).
func (s *screen) eraseTo(b *strings.Builder) {
	if len(s.table) > 0 {
		fmt.Fprintf(b, "\x1b[%dA\r\x1b[J", len(s.table))
	}
}

// drawTo writes the table with automatic wrapping off, so that in a narrow
// window a line stays one line.
func (s *screen) drawTo(b *strings.Builder) {
	if len(s.table) > 0 {
		fmt.Fprintf(b, "\x1b[?7l%s\n\x1b[?7h", strings.Join(s.table, "\n"))
	}
}

// isTerminal says that w can redraw. Of the devices that are no terminals, only
// the null device is likely.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
