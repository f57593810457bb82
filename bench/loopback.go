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
	return nil
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
