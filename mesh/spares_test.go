package mesh

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// A moored connection notes that it is closed.
type moored struct {
	net.Conn
	closed bool
}

func (m *moored) Close() error { m.closed = true; return nil }

func TestASpareConnectionIsTakenOnceOrClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s spares
		taken, replaced, late, left := &moored{}, &moored{}, &moored{}, &moored{}
		s.keep("a", true, taken, time.Minute)
		if s.take("a", false) != nil || s.take("b", true) != nil || s.take("a", true) != taken || s.take("a", true) != nil {
			t.Error("it is not taken once, for what it is good for")
		}
		s.keep("a", true, replaced, time.Minute)
		s.keep("a", true, late, time.Minute)
		time.Sleep(time.Minute)
		synctest.Wait()
		if s.take("a", true) != nil {
			t.Error("it waits longer than it may")
		}
		s.keep("b", false, left, time.Minute)
		s.close()
		if taken.closed || !replaced.closed || !late.closed || !left.closed {
			t.Errorf("closed: %v %v %v %v", taken.closed, replaced.closed, late.closed, left.closed)
		}
	})
}
