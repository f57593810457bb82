package mesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/mesh/telemetry"
	"github.com/inmesh-go/inmesh/retry"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A Config says what a Mesh is made of. The zero Config works: it has no rules,
// and every request passes through unchanged.
type Config struct {
	// Workload is who this process is. Rules select callers by it.
	Workload Workload
	// Rules is where rules come from: rules.Dir, rules.File, rules.FS or
	// rules.Static. Nil: no rules.
	Rules rules.Source
	// Discovery says where services live that no ServiceEntry describes. It is asked
	// about all hosts that are called; of those that it does not know, the latest 100
	// are watched, and others taken for unknown for 30 s before it is asked again. Nil:
	// hosts that rules name are looked up in DNS.
	Discovery discovery.Source
	// Identity says who this process proves to be, and whom it trusts: a
	// tlsid.CA's, tlsid.Files, spiffe.Source. Nil: it proves nothing, and speaks
	// mutual TLS with nobody.
	Identity tlsid.Source
	// TrustDomainAliases are other names of the own trust domain, as Istio's
	// trustDomainAliases. Nil: it has one name.
	TrustDomainAliases []string
	// MinTLSVersion is the lowest version of TLS that Listen and ServerTLS speak.
	// Zero: TLS 1.3. Versions below TLS 1.2 mean TLS 1.2.
	MinTLSVersion uint16
	// Authorizers decide for AuthorizationPolicies of action CUSTOM, by the
	// provider's name. Rules that name another provider are refused. Nil: none.
	Authorizers map[string]Authorizer
	// Access says from elsewhere who may call this workload: consul.Intentions. It is
	// asked about every inbound request, HTTP and gRPC, and raw connection, beside the
	// AuthorizationPolicies, and both must let it in: whoever denies wins. What it
	// says holds from the next request on; while it is in trouble, its last word
	// stands. Nil: the policies alone decide.
	Access authz.Source
	// TrustedProxies is how many proxies stand before this process and append to
	// X-Forwarded-For, which is where policies find remoteIpBlocks. Zero: none,
	// and rules that ask for the remote address are refused, for callers could
	// make it up.
	TrustedProxies int
	// PathNormalization is what Handler does with a path before policies and the
	// handler see it. Zero: authz.Base, Istio's default.
	PathNormalization authz.Normalization
	// HoldEmpty is for how long a service keeps its last endpoints when Discovery
	// says that there are none left: a registry that restarts or has lost its
	// permissions says so in the same words as one that means it. Zero: 30 s.
	// Negative: not at all.
	HoldEmpty time.Duration
	// OutboundPolicy decides about hosts that no rule and no source knows. Zero:
	// AllowAny.
	OutboundPolicy OutboundPolicy
	// Observer is told what happens. Its zero value hears nothing.
	Observer Observer
	// Telemetry says what is told of requests, and where to: metrics, traces, the
	// access log, the topology. Zero: metrics and traces go to OpenTelemetry's
	// global providers, and there is no access log. What its Local leaves out is
	// filled in from Workload; its State is the Mesh's own, and ignored. Requests
	// to hosts that are not the mesh's are counted too, to PassthroughCluster, and
	// otherwise pass as they are, without a span.
	Telemetry telemetry.Config
	// NoTelemetry turns all of that off: requests are not even counted, and Graph
	// is empty. Zero: they are.
	NoTelemetry bool
	// Logger gets what an operator should know: rejected rules, ejections,
	// trouble with discovery. Nil: silent.
	Logger *slog.Logger
	// DialContext makes the connections to endpoints. Nil: the DialContext of the
	// *http.Transport that Mesh.Transport was given, or else a net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// ReplayLimit is how many bytes of a request body that has no GetBody are
	// kept for a retry; a longer body is not retried once it has been sent.
	// Zero: 64 KiB. Negative: nothing is kept.
	ReplayLimit int64
	// MirrorLimit is how many mirrored requests may be under way at once; more
	// are dropped, and counted. Zero: 128.
	MirrorLimit int
	// Hedge starts further tries of idempotent requests that are slow to be
	// answered. It stands outside Istio's rules. Zero: none.
	Hedge retry.Hedge
	// ClusterDomain is the suffix of cluster-local hosts. Zero: "cluster.local".
	ClusterDomain string
	// RootNamespace is where rules for the whole mesh stand. Zero: "istio-system".
	RootNamespace string
	// IgnoreInboundDeadline makes Handler not take over the deadline that a
	// caller hands on. Zero: it does; it can only shorten the work.
	IgnoreInboundDeadline bool
}

// Workload is who a process is.
type Workload struct {
	// Service is the name of the service, such as "productpage".
	Service string
	// Namespace is its namespace. Zero: "default".
	Namespace string
	// Labels are what sourceLabels and workload selectors look at.
	Labels map[string]string
	// Locality is where the process runs. Zero: unknown.
	Locality discovery.Locality
}

// OutboundPolicy decides about requests to hosts that nobody knows.
type OutboundPolicy uint8

const (
	// AllowAny passes them through unchanged.
	AllowAny OutboundPolicy = iota
	// RegistryOnly refuses them (502).
	RegistryOnly
)

const (
	defaultReplayLimit = 64 << 10
	defaultMirrorLimit = 128
)

func (c Config) withDefaults() Config {
	c.ReplayLimit = max(cmp.Or(c.ReplayLimit, defaultReplayLimit), 0)
	c.MirrorLimit = cmp.Or(c.MirrorLimit, defaultMirrorLimit)
	c.Workload.Namespace = cmp.Or(c.Workload.Namespace, "default")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Rules == nil {
		c.Rules = rules.Static()
	}
	if c.DialContext == nil {
		c.DialContext = new(net.Dialer).DialContext
	}
	return c
}

// validate names every field that is out of bounds.
func (c Config) validate() error {
	var faults []error
	if c.OutboundPolicy > RegistryOnly {
		faults = append(faults, fmt.Errorf("mesh: OutboundPolicy: %d is neither AllowAny nor RegistryOnly", c.OutboundPolicy))
	}
	if c.MirrorLimit < 0 {
		faults = append(faults, fmt.Errorf("mesh: MirrorLimit: %d is below 0", c.MirrorLimit))
	}
	if c.TrustedProxies < 0 {
		faults = append(faults, fmt.Errorf("mesh: TrustedProxies: %d is below 0", c.TrustedProxies))
	}
	if c.PathNormalization > authz.DecodeAndMergeSlashes {
		faults = append(faults, fmt.Errorf("mesh: PathNormalization: %d is none of authz's", c.PathNormalization))
	}
	faults = append(faults, c.nameFaults()...)
	for _, alias := range c.TrustDomainAliases {
		if _, err := tlsid.ParseTrustDomain(alias); err != nil {
			faults = append(faults, fmt.Errorf("mesh: TrustDomainAliases: %w", err))
		}
	}
	for name, a := range c.Authorizers {
		if a == nil {
			faults = append(faults, fmt.Errorf("mesh: Authorizers[%q]: nil decides nothing", name))
		}
	}
	if err := c.Hedge.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("mesh: Hedge: %w", err))
	}
	return errors.Join(faults...)
}

// nameFaults finds names that no rule can have: policies would be about somebody
// else, and protect nobody.
func (c Config) nameFaults() (faults []error) {
	for _, n := range []struct{ field, name string }{{"Workload.Namespace", c.Workload.Namespace}, {"RootNamespace", c.RootNamespace}} {
		if n.name != "" && !isDNSLabel(n.name) {
			faults = append(faults, fmt.Errorf("mesh: %s: %.100q is no namespace: want 1 to 63 of a-z, 0-9 and -, that begin and end with a letter or digit", n.field, n.name))
		}
	}
	if d := c.ClusterDomain; d != "" && !allDNSLabels(d) {
		faults = append(faults, fmt.Errorf("mesh: ClusterDomain: %.100q is no domain in lower case, such as cluster.local", d))
	}
	return faults
}

func allDNSLabels(domain string) bool {
	for label := range strings.SplitSeq(domain, ".") {
		if !isDNSLabel(label) {
			return false
		}
	}
	return true
}

func isDNSLabel(s string) bool {
	odd := func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-') }
	return s != "" && len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-' && !strings.ContainsFunc(s, odd)
}

// aliases are the valid TrustDomainAliases.
func (c Config) aliases() (out []tlsid.TrustDomain) {
	for _, name := range c.TrustDomainAliases {
		if d, err := tlsid.ParseTrustDomain(name); err == nil {
			out = append(out, d)
		}
	}
	return out
}

// source is Discovery, held; nil if there is none.
func (c Config) source() discovery.Source {
	if c.Discovery == nil || c.HoldEmpty < 0 {
		return c.Discovery
	}
	return discovery.Hold(c.Discovery, c.HoldEmpty)
}

func (c Config) options() plan.Options {
	return plan.Options{
		Workload:      plan.Workload(c.Workload),
		Domain:        c.ClusterDomain,
		RootNamespace: c.RootNamespace,
	}
}
