package mesh

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
)

// AccessInfo is an inbound request, or a raw connection, that was refused, or that a policy asks for a
// record of: an AUDIT policy, or one that is on trial (istio.io/dry-run).
type AccessInfo struct {
	Peer    string // SPIFFE ID; "" for none
	Source  string // IP address; "" where the connection has none, as by a unix socket
	Method  string // "" of a connection, as is what follows of a request
	Host    string
	Path    string // without the query
	Refused bool
	Status  int    // of the refusal; 0 for a request that was let in
	Flag    string // Envoy's response flag: UAEX by an Authorizer, RL by a rate limit; "" for none
	Reason  string // Istio's words: rbac_access_denied_matched_policy[...]
	Policy  string // that decided, namespace/name; "" if none was written
	Audit   string // the rule of an AUDIT policy; "" for none
	// Trial is why the policies on trial would have denied the request; "" if they
	// would not, or if it was refused before they were asked.
	Trial string
}

// tellAccess tells the log and the observer what they should know of a request.
func (m *Mesh) tellAccess(in *inbound, r *guard.Refusal) {
	m.tellVisit(&in.visit, in.path, r)
}

// tellVisit is tellAccess of a request whose path was sent like that.
func (m *Mesh) tellVisit(v *guard.Visit, sent string, r *guard.Refusal) {
	trial := v.Trial()
	if r == nil && v.Decision.Audit == nil && trial == "" {
		return
	}
	info := AccessInfo{
		Peer: v.Peer.String(), Source: shownIP(v.Source), Method: v.Method, Host: v.Host,
		Path: cmp.Or(v.Path.Escaped(), sent), Audit: text(v.Decision.Audit), Trial: trial,
	}
	level := slog.LevelInfo
	if r != nil {
		level = slog.LevelWarn
		info.Refused, info.Status, info.Flag, info.Reason, info.Policy = true, r.Status, r.Flag, r.Details, r.Policy
	}
	m.config.Logger.LogAttrs(context.Background(), level, "access", info.attrs()...)
	if hook := m.config.Observer.Access; hook != nil {
		hook(info)
	}
}

// maxLogged bounds what a caller can write into one field of the log, in bytes.
const maxLogged = 256

func (i *AccessInfo) attrs() []slog.Attr {
	return []slog.Attr{
		slog.Bool("refused", i.Refused), slog.Int("status", i.Status), slog.String("reason", i.Reason),
		slog.String("policy", i.Policy), slog.String("audit", i.Audit), slog.String("trial", i.Trial),
		slog.String("peer", i.Peer), slog.String("source", i.Source), slog.String("method", short(i.Method)),
		slog.String("host", short(i.Host)), slog.String("path", short(i.Path)),
	}
}

// shownIP leaves out what is no address, which netip calls "invalid IP".
func shownIP(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func short(s string) string { return s[:min(len(s), maxLogged)] }

func text(r *authz.Rule) string {
	if r == nil {
		return ""
	}
	return r.String()
}
