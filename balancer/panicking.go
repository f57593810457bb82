package balancer

// Panicking reports whether the host's priority ignores health at the moment, so
// that a pick may return a host which is not available.
func (b *Balancer[T]) Panicking(h *Host[T]) bool {
	levels := b.picture.Load().levels
	p := h.Priority()
	return p >= 0 && p < len(levels) && levels[p].panics
}
