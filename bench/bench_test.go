package main

import (
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain lets the test be its own server, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-serve" {
		if err := serveLoopback(os.Args[2], os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// open makes a stack for one test.
func open(tb testing.TB, v variant) stack {
	tb.Helper()
	s, err := v.open()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.close)
	return s
}

// TestAllocationsBeyondBare: the budget is 2, and 6 with timeouts.
func TestAllocationsBeyondBare(t *testing.T) {
	none := open(t, bare).allocations()
	for _, c := range []struct {
		variant
		want float64
	}{{plain, 1}, {unheard, 1}, {told, 5}, {ruled, 3}, {timed, 3}, {big, 1}} {
		if got := open(t, c.variant).allocations() - none; got != c.want {
			t.Errorf("%s: %v allocations beyond bare, want %v", c.name, got, c.want)
		}
	}
}

func BenchmarkStack(b *testing.B) {
	for name, v := range map[string]variant{"bare": bare, "plain": plain, "told": told, "ruled": ruled, "unheard": unheard, "timed": timed, "big": big} {
		b.Run(name, func(b *testing.B) {
			call := get(open(b, v).rt)
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}

func BenchmarkStackParallel(b *testing.B) {
	for name, v := range map[string]variant{"bare": bare, "plain": plain, "told": told, "ruled": ruled, "unheard": unheard, "timed": timed, "big": big} {
		b.Run(name, func(b *testing.B) {
			s := open(b, v)
			b.RunParallel(func(pb *testing.PB) {
				for call := get(s.rt); pb.Next(); {
					call()
				}
			})
		})
	}
}

func BenchmarkDoor(b *testing.B) {
	doors, shut, err := openDoors()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(shut)
	for i, name := range []string{"bare", "open", "guarded", "silent"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				doors[i].pass()
			}
		})
	}
}

func BenchmarkPeers(b *testing.B) {
	for _, s := range peers() {
		b.Run(s.name, func(b *testing.B) {
			call := get(s.rt)
			b.ReportAllocs()
			for b.Loop() {
				call()
			}
		})
	}
}

// BenchmarkLoopback has eight callers for each core.
func BenchmarkLoopback(b *testing.B) {
	s, err := startServer()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.stop() })
	for _, w := range wires {
		b.Run(w.name+"/bare", func(b *testing.B) { benchmarkSide(b, s, w.bare) })
		b.Run(w.name+"/mesh", func(b *testing.B) { benchmarkSide(b, s, w.meshed) })
	}
}

func benchmarkSide(b *testing.B, to *server, open func(*server) (side, error)) {
	s, err := open(to)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.close)
	b.ReportAllocs()
	b.SetParallelism(8)
	var callers atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for url := s.url(int(callers.Add(1))); pb.Next(); {
			if err := s.get(url); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func TestAnAnswerOverAnotherWireIsNotMeasured(t *testing.T) {
	s, err := startServer()
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	for _, over := range wires {
		for _, w := range wires {
			bare, err := over.bare(s)
			if err != nil {
				t.Fatal(err)
			}
			bare.wire = w
			if err := bare.get(bare.url(0)); (err == nil) != (w == over) {
				t.Errorf("%s taken for %s: %v", over.name, w.name, err)
			}
			bare.close()
		}
	}
}

func TestADoorThatRefusesIsNotMeasured(t *testing.T) {
	refusing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	d := door{"refusing", refusing, request(), newNowhere()}
	if err := d.opens(); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("got %v", err)
	}
}

// Every figure of the table can be measured; what it is, is not of interest here.
func TestSectionsMeasure(t *testing.T) {
	for _, s := range sections {
		if s.name == "rules" && testing.Short() { // it takes seconds however short the slots are
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			var out strings.Builder
			if err := s.measure(plan{rounds: 1, slot: time.Millisecond}, newTable(&out)); err != nil {
				t.Error(err)
			}
			if !strings.Contains(out.String(), "budget") {
				t.Errorf("no table but %q", out.String())
			}
		})
	}
}

func TestMedianAndRatios(t *testing.T) {
	if got := median(ratios([]float64{1, 9, 4}, []float64{1, 3, 2})); got != 2 {
		t.Errorf("got %v, want 2", got)
	}
}

func TestTableMarksWhatIsOver(t *testing.T) {
	for _, c := range []struct {
		row  func(*table)
		want string
	}{
		{func(t *table) { t.atMost("x", figure{3, "ns"}, 2) }, "OVER"},
		{func(t *table) { t.atMost("x", figure{2, "ns"}, 2) }, "pass"},
		{func(t *table) { t.atLeast("x", figure{0.9, "×"}, 0.95) }, "OVER"},
		{func(t *table) { t.atLeast("x", figure{0.95, "×"}, 0.95) }, "pass"},
	} {
		var out strings.Builder
		c.row(newTable(&out))
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("%q does not say %s", out.String(), c.want)
		}
	}
}

func TestUnknownSectionIsNamed(t *testing.T) {
	if err := run(plan{}, "stcak", ""); err == nil || !strings.Contains(err.Error(), "stcak") {
		t.Errorf("got %v", err)
	}
}
