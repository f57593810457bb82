package fleet

import "net/http"

// A Deployment is one version of a service, and how many servers run it.
type Deployment struct {
	Service, Version string
	servers          int
	handler          func(*http.Client) http.Handler
}

// Deployments is what runs. reviews has two servers of each version, so that
// there is one to go on with when the other is ejected.
func Deployments() []Deployment {
	return []Deployment{
		{"productpage", "v1", 1, productpage},
		{"details", "v1", 1, details},
		{"reviews", "v1", 2, reviews("v1", "")},
		{"reviews", "v2", 2, reviews("v2", "black")},
		{"reviews", "v3", 2, reviews("v3", "red")},
		{"ratings", "v1", 1, ratings},
	}
}
