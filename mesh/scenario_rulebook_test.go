package mesh_test

import "fmt"

// policy is a DestinationRule for a host, its trafficPolicy in YAML's flow style.
func policy(host, trafficPolicy string) string { return policyWith(host, trafficPolicy, "[]") }

// policyWith is policy with subsets.
func policyWith(host, trafficPolicy, subsets string) string {
	return fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: %s}
spec:
  host: %s
  trafficPolicy: %s
  subsets: %s
`, host, host, trafficPolicy, subsets)
}

// routes is a VirtualService for a host, its http routes in YAML's flow style.
func routes(host, http string) string {
	return fmt.Sprintf(`
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: %s}
spec:
  hosts: [%s]
  http: %s
`, host, host, http)
}

// route is routes with one route to the host itself, and what else stands in it.
func route(host, more string) string {
	return routes(host, fmt.Sprintf("[{route: [{destination: {host: %s}}], %s}]", host, more))
}

// unretried is a route without retries, so that a test sees every failure.
func unretried(host string) string { return route(host, "retries: {attempts: 0}") }
