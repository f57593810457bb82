package jwt

// A blame collects why each rule said no, and picks the reason to give as Envoy
// does: the first failing rule's, but "prefer errors which are not JwtMissed nor
// JwtUnknownIssuer" (Envoy, verifier.cc), of which the last.
type blame struct {
	first, last complaint // last: of those that are about more than the issuer
}

type complaint struct {
	rule   *rule
	status status
}

func (b *blame) add(r *rule, s status) {
	if s == missing {
		return
	}
	if b.first.rule == nil {
		b.first = complaint{r, s}
	}
	if s != unknownIssuer {
		b.last = complaint{r, s}
	}
}

func (b *blame) verdict() (*rule, status) {
	if b.first.status == unknownIssuer && b.last.rule != nil {
		return b.last.rule, b.last.status
	}
	return b.first.rule, b.first.status
}
