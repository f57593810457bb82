package balancer

// A picture is all that a pick reads: immutable, complete, and as the world was at the last
// change. Whether a host may be picked now is asked of the host.
type picture[T any] struct {
	cfg    Config
	hosts  []*Host[T]
	levels []level[T] // by priority
	tally  []tally    // of levels
	spill  *spill     // over levels
	only   *group[T]  // the one group of the one level, where a pick has no other choice; else nil
	hashes bool       // the policy goes by keys
	draws  bool       // a pick needs a random number
	clock  bool       // a pick has to know the time
}

// A level is one priority.
type level[T any] struct {
	panics bool
	deny   uint32     // what keeps a host from being picked: less in a panic
	groups []group[T] // sections that have candidates
	odds   *alias     // of groups; nil for one
}

// A group is a section and who may be picked of it.
type group[T any] struct {
	share   float64
	hosts   []*Host[T]
	weights []float64         // of hosts; nil: all equal
	chooser chooser           // over hosts
	equals  *leastOfEquals[T] // over hosts, in the place of chooser; nil: that it is
	deny    uint32            // its level's
}

// choose is the chooser's.
func (g *group[T]) choose(a ask) (int, uint64) {
	if g.equals != nil {
		return g.equals.choose(a)
	}
	return g.chooser.choose(a)
}

// paint draws the picture at now, in Unix nanoseconds.
func paint[T any](cfg Config, hosts []*Host[T], sections [][]*section[T], now int64) *picture[T] {
	p := &picture[T]{cfg: cfg, hosts: hosts, hashes: cfg.Policy.hashes(), clock: cfg.Policy == PeakEWMA}
	for _, level := range sections {
		p.tally = append(p.tally, tallyOf(level))
	}
	p.spill = newSpill(p.tally)
	all := len(sections) > 0
	for i, inPanic := range panics(cfg.PanicThreshold, p.tally) {
		all = all && inPanic
		p.levels = append(p.levels, p.level(sections[i], inPanic, now))
	}
	if all {
		p.spill = panicSpill(p.tally)
	}
	p.only = p.onlyGroup()
	p.draws = p.only == nil || cfg.Policy != RoundRobin
	return p
}

func (p *picture[T]) onlyGroup() *group[T] {
	if len(p.levels) != 1 || len(p.levels[0].groups) != 1 || p.spill.shares[0] == 0 {
		return nil
	}
	return &p.levels[0].groups[0]
}

func tallyOf[T any](level []*section[T]) (t tally) {
	for _, s := range level {
		t.hosts += len(s.hosts)
		t.usable += s.count(unwanted)
	}
	return t
}

// In a panic the shares of places stand, although Envoy drops them: that hosts are unhealthy does
// not make a rule on places void. A draining host is never asked.
func (p *picture[T]) level(sections []*section[T], inPanic bool, now int64) level[T] {
	l := level[T]{panics: inPanic, deny: unwanted}
	if inPanic {
		l.deny = draining
	}
	var shares []float64
	for _, s := range sections {
		if g := p.group(s, l.deny, now); len(g.hosts) > 0 {
			l.groups, shares = append(l.groups, g), append(shares, g.share)
		}
	}
	if len(l.groups) > 1 {
		l.odds = newAlias(shares)
	}
	return l
}

// group weighs the section by its health, as Envoy does: a place that has lost more than the
// over-provisioning covers loses share to the others of its priority.
func (p *picture[T]) group(s *section[T], deny uint32, now int64) group[T] {
	hosts, c := s.candidates(deny)
	health := min(1, overprovisioning/100.*float64(len(hosts))/float64(len(s.hosts)))
	g := group[T]{share: s.share * health, hosts: hosts, weights: c.weights, deny: deny}
	if s.table != nil {
		g.hosts, g.weights, g.chooser = s.hosts, s.weights, s.table
		return g
	}
	if p.cfg.Policy.warms() {
		c.warm = newWarmth(p.cfg.Warmup, c.members, now)
		p.clock = p.clock || c.warm != nil
	}
	switch {
	case p.cfg.Policy == LeastRequest && c.alike():
		g.equals = &leastOfEquals[T]{hosts, deny}
	case len(hosts) > 0:
		g.chooser = newChooser(p.cfg.Policy, c, s.turn)
	}
	return g
}
