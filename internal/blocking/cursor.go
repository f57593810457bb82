package blocking

// A cursor is the index to wait on: the state of the answer that is known. 0
// waits for nothing.
type cursor struct{ index uint64 }

// advance takes the index of an answer. Of indexes the documentation says:
//
// "Reset the index if it goes backwards. While indexes in general are
// monotonically increasing, there are several real-world scenarios in which they
// can go backwards for a given query. […] Clients should check for this
// explicitly and reset the index to 0 […]."
//
// "Sanity check index is greater than zero. […] It is always safe to use an index
// of 1 to wait for updates when the data being requested doesn't exist yet."
//
// https://developer.hashicorp.com/consul/api-docs/features/blocking#implementation-details
func (c *cursor) advance(index uint64) {
	switch {
	case index < c.index:
		c.index = 0
	default:
		c.index = max(index, 1)
	}
}
