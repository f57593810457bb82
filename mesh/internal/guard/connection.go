package guard

import "context"

// AdmitConnection is Admit for a connection whose requests nobody sees, once, when
// it has been accepted: by what it shows itself. Tokens and rates are of requests.
func (g *Guard) AdmitConnection(ctx context.Context, v *Visit) *Refusal {
	o := g.orders.Load()
	v.TCP = true
	if r := g.identify(v); r != nil {
		return r
	}
	if r := o.plaintext(v); r != nil {
		return r
	}
	v.Remote = v.Source // nothing else is said of it
	if r := g.agreed(v); r != nil {
		return r
	}
	if r := g.ask(ctx, o, v); r != nil {
		return r
	}
	return o.decide(v)
}
