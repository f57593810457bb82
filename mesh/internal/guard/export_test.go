package guard

// Known is how many connections the guard remembers.
func (g *Guard) Known() int {
	g.peers.mu.RLock()
	defer g.peers.mu.RUnlock()
	return len(g.peers.met)
}
