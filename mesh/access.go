package mesh

import (
	"context"
	"log/slog"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
)

// AccessInfo is an inbound request that was refused, or that a policy asks for a
// record of: an AUDIT policy, or one that is on trial (istio.io/dry-run).
type AccessInfo struct {
	Peer    string // SPIFFE ID; "" for none
	Source  string // address
	Method  string
	Host    string
	Path    string
	Refused bool
	Status  int    // of the refusal; 0 for a request that was let in
	Reason  string // Istio's words: rbac_access_denied_matched_policy[...]
	Policy  string // that decided, namespace/name; "" if none was written
	Audit   string // the rule of an AUDIT policy; "" for none
	// Trial is why the policies on trial would have denied the request; "" if they
	// would not.
	Trial string
}

// tellAccess tells the log and the observer what they should know of a request.
func (m *Mesh) tellAccess(v *guard.Visit, r *guard.Refusal) {
	if r == nil && v.Decision.Audit == nil && v.Decision.Shadow.Reason() == "" {
		return
	}
	info := AccessInfo{
		Peer: v.Peer.String(), Source: v.Source.String(), Method: v.Method, Host: v.Host, Path: v.Path.Escaped(),
		Audit: text(v.Decision.Audit), Trial: v.Decision.Shadow.Reason(),
	}
	if r != nil {
		info.Refused, info.Status, info.Reason, info.Policy = true, r.Status, r.Details, r.Policy
	}
	level := slog.LevelInfo
	if info.Refused {
		level = slog.LevelWarn
	}
	m.config.Logger.Log(context.Background(), level, "access", "refused", info.Refused, "status", info.Status, "reason", info.Reason, "policy", info.Policy,
		"audit", info.Audit, "trial", info.Trial,
		"peer", info.Peer, "source", info.Source, "method", info.Method, "host", info.Host, "path", info.Path)
	if hook := m.config.Observer.Access; hook != nil {
		hook(info)
	}
}

func text(r *authz.Rule) string {
	if r == nil {
		return ""
	}
	return r.String()
}
