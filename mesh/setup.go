package mesh

import (
	"cmp"
	"crypto/tls"
	"maps"
	"slices"
	"time"
)

// Settings is what a Mesh was made with, as far as it can be told in words, with
// defaults applied.
type Settings struct {
	Service               string            `json:"service"`
	Namespace             string            `json:"namespace"`
	Labels                map[string]string `json:"labels,omitempty"`
	Locality              string            `json:"locality,omitempty"`
	OutboundPolicy        string            `json:"outboundPolicy"` // ALLOW_ANY or REGISTRY_ONLY
	Discovery             bool              `json:"discovery"`      // false: DNS
	Identity              bool              `json:"identity"`       // false: it proves nothing
	TrustDomainAliases    []string          `json:"trustDomainAliases,omitempty"`
	MinTLSVersion         string            `json:"minTLSVersion"`
	Authorizers           []string          `json:"authorizers,omitempty"` // by name
	TrustedProxies        int               `json:"trustedProxies"`
	PathNormalization     string            `json:"pathNormalization"`
	HoldEmptySeconds      float64           `json:"holdEmptySeconds"` // negative: not at all
	ReplayLimit           int64             `json:"replayLimitBytes"`
	MirrorLimit           int               `json:"mirrorLimit"`
	Hedges                int               `json:"hedges"` // further tries at most; 0: none
	ClusterDomain         string            `json:"clusterDomain"`
	RootNamespace         string            `json:"rootNamespace"`
	IgnoreInboundDeadline bool              `json:"ignoreInboundDeadline"`
}

// Settings are those of this Mesh.
func (m *Mesh) Settings() Settings {
	c := &m.config
	return Settings{
		Service: c.Workload.Service, Namespace: c.Workload.Namespace, Labels: c.Workload.Labels, Locality: c.Workload.Locality.String(),
		OutboundPolicy: c.OutboundPolicy.String(), Discovery: c.Discovery != nil, Identity: c.Identity != nil,
		TrustDomainAliases: c.TrustDomainAliases, MinTLSVersion: tls.VersionName(max(cmp.Or(c.MinTLSVersion, tls.VersionTLS13), tls.VersionTLS12)),
		Authorizers: slices.Sorted(maps.Keys(c.Authorizers)), TrustedProxies: c.TrustedProxies,
		PathNormalization: c.PathNormalization.String(), HoldEmptySeconds: cmp.Or(c.HoldEmpty, 30*time.Second).Seconds(),
		ReplayLimit: c.ReplayLimit, MirrorLimit: c.MirrorLimit, Hedges: c.Hedge.Max,
		ClusterDomain: cmp.Or(c.ClusterDomain, "cluster.local"), RootNamespace: cmp.Or(c.RootNamespace, "istio-system"),
		IgnoreInboundDeadline: c.IgnoreInboundDeadline,
	}
}

// String is the policy's name in Istio.
func (p OutboundPolicy) String() string {
	if p == RegistryOnly {
		return "REGISTRY_ONLY"
	}
	return "ALLOW_ANY"
}
