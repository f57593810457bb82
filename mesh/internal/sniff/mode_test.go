package sniff_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/internal/sniff"
)

// A dial is a mode that can be turned.
type dial struct{ atomic.Uint32 }

func turn(to sniff.Mode) *dial {
	d := &dial{}
	d.to(to)
	return d
}

func (d *dial) to(m sniff.Mode)  { d.Store(uint32(m)) }
func (d *dial) mode() sniff.Mode { return sniff.Mode(d.Load()) }

const unknown = sniff.Mode(99)

func TestTheModeSaysWhatAConnectionIs(t *testing.T) {
	for _, c := range []struct {
		mode sniff.Mode
		text string
		want bool
	}{
		{sniff.Strict, "GET", true},
		{sniff.Strict, "\x16", true},
		{sniff.Permissive, "GET", false},
		{sniff.Permissive, "\x16", true},
		{sniff.Disable, "GET", false},
		{sniff.Disable, "\x16", false},
		{unknown, "GET", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newMemory()
			l := listen(t, m, sniff.Config{Mode: turn(c.mode).mode})
			m.say(t, c.text)
			if got := isTLS(accept(t, l)); got != c.want {
				t.Errorf("mode %d, %q: TLS %v, want %v", c.mode, c.text, got, c.want)
			}
		})
	}
}

func TestTheDefaultIsStrict(t *testing.T) {
	m := newMemory()
	l := listen(t, m, sniff.Config{})
	m.dial(t)
	if !isTLS(accept(t, l)) {
		t.Error("not handed to TLS")
	}
}

func TestAChangeOfModeHoldsFromTheNextConnectionOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, d := newMemory(), turn(sniff.Strict)
		l := listen(t, m, sniff.Config{Mode: d.mode})
		for i, step := range []struct {
			mode sniff.Mode
			want bool
		}{
			{sniff.Strict, true}, {sniff.Disable, false}, {sniff.Strict, true}, {sniff.Permissive, false},
			{sniff.Strict, true}, {sniff.Disable, false}, {sniff.Permissive, false}, {sniff.Strict, true},
		} {
			d.to(step.mode)
			m.say(t, "GET")
			if got := isTLS(accept(t, l)); got != step.want {
				t.Errorf("step %d, mode %d: TLS %v", i, step.mode, got)
			}
		}
	})
}

func TestAChangeOfModeHoldsForThoseWhoAreStillSilent(t *testing.T) {
	for _, c := range []struct {
		to   sniff.Mode
		text string
		want bool
	}{
		{sniff.Strict, "GET", true}, {sniff.Strict, "\x16", true},
		{sniff.Disable, "\x16", false}, {sniff.Disable, "GET", false},
		{unknown, "GET", true},
	} {
		synctest.Test(t, func(t *testing.T) {
			m, d := newMemory(), turn(sniff.Permissive)
			l := listen(t, m, sniff.Config{Mode: d.mode})
			client := m.dial(t)
			go func() {
				synctest.Wait() // until its byte is waited for
				d.to(c.to)
				client.Write([]byte(c.text))
			}()
			if got := isTLS(accept(t, l)); got != c.want {
				t.Errorf("to %d, %q: TLS %v, want %v", c.to, c.text, got, c.want)
			}
		})
	}
}

func TestSilenceHoldsUpNobodyAfterAChangeToStrict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, d := newMemory(), turn(sniff.Permissive)
		l := listen(t, m, sniff.Config{Mode: d.mode, MaxPending: 1})
		m.say(t, "GET")
		accept(t, l)
		m.dial(t)
		synctest.Wait()
		d.to(sniff.Strict)
		for range 3 {
			m.dial(t)
			accept(t, l)
		}
	})
}

func TestThereIsNoGoroutineUnlessPermissive(t *testing.T) {
	for _, mode := range []sniff.Mode{sniff.Strict, sniff.Disable} {
		before := goleak.IgnoreCurrent()
		m := newMemory()
		l := listen(t, m, sniff.Config{Mode: turn(mode).mode})
		m.dial(t)
		accept(t, l)
		goleak.VerifyNone(t, before)
	}
}
