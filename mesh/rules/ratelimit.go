package rules

// A RateLimit is the spec of an HTTPLocalRateLimitPolicy (policy.linkerd.io/v1alpha1):
// how many requests a server takes in a second, from all callers and from each.
// See https://linkerd.io/2/reference/rate-limiting/. Identity and Overrides are
// at most Total.
type RateLimit struct {
	TargetRef RateLimitTarget `json:"targetRef"`
	// Total is for all callers together; nil: no bound.
	Total *RateLimitBound `json:"total"`
	// Identity is for each caller that no override names; callers without an
	// identity share one. Nil: no bound.
	Identity *RateLimitBound `json:"identity"`
	// Overrides are for callers that are named.
	Overrides []RateLimitOverride `json:"overrides"`
}

// A RateLimitTarget is what a policy limits: a Server (by the name of the
// workload's service), or an HTTPRoute (by the name of a route of the
// VirtualService that owns the service's host), of which Linkerd knows the former
// only. It is of the policy's namespace. Of several policies for one target
// Linkerd takes the oldest. Which route a request takes is decided by the limited
// workload, which knows no labels of callers: sourceLabels and sourceNamespace in
// matches are held to its own.
type RateLimitTarget struct {
	Group string `json:"group"`
	Kind  string `json:"kind"`
	Name  string `json:"name"`
}

// A RateLimitBound is a rate, 1 to 2^32-1 requests per second, which is the burst as well.
type RateLimitBound struct {
	RequestsPerSecond uint32 `json:"requestsPerSecond"`
}

// A RateLimitOverride is the bound of the clients that it names, together. Of two
// that name one client the later counts.
type RateLimitOverride struct {
	RequestsPerSecond uint32            `json:"requestsPerSecond"`
	ClientRefs        []RateLimitClient `json:"clientRefs"`
}

// A RateLimitClient is a caller by its identity.
type RateLimitClient struct {
	Group     string `json:"group"`     // "" or core
	Kind      string `json:"kind"`      // ServiceAccount
	Namespace string `json:"namespace"` // "": the policy's
	Name      string `json:"name"`
}
