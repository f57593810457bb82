package retry

import (
	"sync/atomic"
	"time"
)

// slices is how finely a window forgets: a tenth of its length at a time.
const slices = 10

// A window counts events of the recent past without a lock. Each slot holds
// the count of one slice of time, together with the slice's number in the same
// word, so that a slot left over from an earlier round is never mixed with the
// present one.
type window struct {
	start time.Time
	width time.Duration
	slots [slices]atomic.Uint64 // slice number << 32 | count
}

func newWindow(length time.Duration) *window {
	return &window{start: time.Now(), width: max(1, length/slices)}
}

// slice numbers the slices of time; it wraps, which only compares care about.
func (w *window) slice(now time.Time) uint32 {
	return uint32(now.Sub(w.start) / w.width)
}

func (w *window) add(now time.Time) {
	slice := w.slice(now)
	slot := &w.slots[slice%slices]
	for {
		old := slot.Load()
		next := uint64(slice)<<32 | 1
		if uint32(old>>32) == slice {
			next = old + 1
		}
		if slot.CompareAndSwap(old, next) {
			return
		}
	}
}

// count sums the slices that are not older than the window; a slice from the
// future (now came from another goroutine, a little earlier) counts as well.
func (w *window) count(now time.Time) int64 {
	slice := w.slice(now)
	var sum int64
	for i := range w.slots {
		word := w.slots[i].Load()
		if age := int32(slice - uint32(word>>32)); age > -slices && age < slices {
			sum += int64(uint32(word))
		}
	}
	return sum
}
