package replay

// An attempt is the reader that one attempt sends: first what is kept, then the
// original from where the attempts before had left it.
type attempt struct {
	body   *Body
	pos    int  // bytes of body.kept that were read; guarded by body.mu, as is closed
	closed bool // the transport has closed this reader
}

// Read implements io.Reader. It returns ErrCut when the attempt is over.
func (a *attempt) Read(p []byte) (int, error) {
	n, served, err := a.body.serve(a, p)
	if served {
		return n, err
	}
	n, err = a.body.original.Read(p)
	n, closeDue, err := a.body.arrived(a, p[:n], err)
	_ = a.body.closeIf(closeDue)
	return n, err
}

// Close ends the attempt. The original stays open for later attempts, unless
// the Body is finished.
func (a *attempt) Close() error { return a.body.closeIf(a.body.release(a)) }

func (b *Body) release(a *attempt) (closeDue bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.changed.Broadcast()
	a.closed = true
	return b.closeDueLocked()
}

// serve reads from what is kept. Where that ends and the original goes on,
// served is false and the caller owns the original until it calls arrived.
func (b *Body) serve(a *attempt, p []byte) (n int, served bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.mustWaitLocked(a) {
		b.changed.Wait()
	}
	switch {
	case !b.liveLocked(a):
		return 0, true, ErrCut
	case a.pos < len(b.kept):
		n = copy(p, b.kept[a.pos:])
		a.pos += n
		return n, true, nil
	case b.end != nil:
		return 0, true, b.end
	}
	b.reading = a
	return 0, false, nil
}

// mustWaitLocked: only one goroutine may read the original. A cut-off attempt
// that is at it reads for its successor.
func (b *Body) mustWaitLocked(a *attempt) bool {
	return b.liveLocked(a) && a.pos == len(b.kept) && b.end == nil && b.reading != nil
}

func (b *Body) liveLocked(a *attempt) bool {
	return b.current == a && !a.closed && b.phase < copied
}

// arrived takes in what a has read from the original, and returns what a's
// caller may have of it.
func (b *Body) arrived(a *attempt, got []byte, err error) (n int, closeDue bool, _ error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.changed.Broadcast()
	b.reading = nil
	b.end = err
	b.taken += int64(len(got))
	if b.liveLocked(a) {
		b.keepLocked(a, got)
		return len(got), false, err
	}
	b.handOverLocked(got)
	return 0, b.closeDueLocked(), ErrCut
}

// keepLocked keeps what a has read, or lets all go where it is too much.
func (b *Body) keepLocked(a *attempt, got []byte) {
	if b.lost || len(got) == 0 {
		return
	}
	if len(b.kept)+len(got) > b.limit {
		b.lost, b.kept, a.pos = true, nil, 0
		return
	}
	if b.kept == nil {
		b.kept = make([]byte, 0, max(b.declared, len(got)))
	}
	b.kept = append(b.kept, got...)
	a.pos = len(b.kept)
}

// handOverLocked keeps what an attempt has read that was cut off meanwhile:
// nobody was sent these bytes, so they belong to the next attempt even where
// they are beyond the limit (by less than one Read).
func (b *Body) handOverLocked(got []byte) {
	if !b.lost && b.phase < copied {
		b.kept = append(b.kept, got...)
	}
}
