package main

import "fmt"

func measureLoopback(p plan, t *table) error {
	s, err := startServer()
	if err != nil {
		return err
	}
	defer s.stop()
	for _, w := range wires {
		if err := measureWire(p, t, w, s); err != nil {
			return err
		}
	}
	return measureTelling(p, t, overHTTP2, s)
}

func measureWire(p plan, t *table, w wire, to *server) error {
	bare, err := w.bare(to)
	if err != nil {
		return err
	}
	defer bare.close()
	through, err := w.meshed(to)
	if err != nil {
		return err
	}
	defer through.close()
	t.section("Loopback, " + w.name + ", against bare net/http")
	for _, c := range []struct {
		callers int
		least   float64
	}{{1, 0.95}, {16, 0.95}, {64, 0.92}} {
		r, err := duel(p, c.callers, bare, through)
		if err != nil {
			return err
		}
		t.note(fmt.Sprintf("%d callers, bare", c.callers), figure{r.bare, "/s"})
		t.atLeast("… requests per second", figure{r.rate, "×"}, c.least)
		t.atMost("… p99", figure{r.p99, "×"}, 1.15)
		t.note("… CPU of the caller's process", figure{r.cpu, "×"})
	}
	return nil
}

// measureTelling shows how much of the difference is what the mesh has net/http do.
func measureTelling(p plan, t *table, w wire, to *server) error {
	bare, err := w.bare(to)
	if err != nil {
		return err
	}
	defer bare.close()
	by, err := w.telling(to)
	if err != nil {
		return err
	}
	defer by.close()
	t.section("Loopback, " + w.name + ": told by hand, against bare")
	for _, callers := range []int{1, 16, 64} {
		r, err := duel(p, callers, bare, by)
		if err != nil {
			return err
		}
		t.note(fmt.Sprintf("%d callers, bare", callers), figure{r.bare, "/s"})
		t.note("… requests per second", figure{r.rate, "×"})
		t.note("… p99", figure{r.p99, "×"})
		t.note("… CPU of the caller's process", figure{r.cpu, "×"})
	}
	return nil
}
