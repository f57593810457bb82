package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

var clock = regexp.MustCompile(`\d\d:\d\d:\d\d`)

// On a terminal the table stays below the events: it is erased before each and
// drawn again after.
func TestEventsScrollPastAboveTheTable(t *testing.T) {
	var b strings.Builder
	s := newScreen(&b, true)
	s.event("one")
	s.draw([]string{"a", "b"})
	s.draw([]string{"c", "d"})
	s.event("two\nlines")
	got := clock.ReplaceAllString(b.String(), "hh:mm:ss")
	want := "hh:mm:ss   one\n" +
		"\x1b[?7la\nb\n\x1b[?7h" +
		"\x1b[2A\r\x1b[J" + "\x1b[?7lc\nd\n\x1b[?7h" +
		"\x1b[2A\r\x1b[J" + "hh:mm:ss   two\n           lines\n" + "\x1b[?7lc\nd\n\x1b[?7h"
	if got != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
}

func TestTheTableFitsEightyColumns(t *testing.T) {
	c := newTally(recently)
	now := time.Unix(0, 0)
	busy := peer{"reviews", "v2"}
	for range 100_000 {
		c.request(busy, 12345*time.Microsecond, true, now)
	}
	c.ejected(busy, "a:1")
	c.page("v2", patience, now)
	o := options{pace: maxPace}
	for _, line := range append(c.at(now).table(), footer(o, time.Hour)) {
		if len(line) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
}

func TestFilesAndTheNullDeviceAreNoTerminals(t *testing.T) {
	t.Setenv("TERM", "xterm")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if isTerminal(null) || isTerminal(new(strings.Builder)) {
		t.Error("a terminal?")
	}
}
