// Package balancer chooses which host of a destination takes the next request.
package balancer
