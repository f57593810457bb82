// Package authz says who may do what: it compiles Istio's AuthorizationPolicy
// and PeerAuthentication for one workload, and decides request by request.
package authz
