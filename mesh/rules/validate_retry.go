package rules

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// retryConditions are the names that retryOn may list.
var retryConditions = []string{
	"5xx", "gateway-error", "reset", "reset-before-request", "connect-failure",
	"retriable-4xx", "refused-stream", "retriable-status-codes", "retriable-headers",
	"envoy-ratelimited", "http3-post-connect-failure",
	"cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable",
}

func validateRetries(c *checker, path string, r *networking.HTTPRoute) {
	retries := r.Retries
	if retries == nil {
		return
	}
	if retries.Attempts == 0 {
		validateNoAttempts(c, path, retries)
	}
	for _, condition := range strings.Split(retries.RetryOn, ",") {
		if retries.RetryOn != "" {
			validateRetryCondition(c, path+".retryOn", condition)
		}
	}
	perTry, all := retries.PerTryTimeout, r.Timeout
	if perTry != nil && all != nil && perTry.AsDuration() >= all.AsDuration() {
		c.warn(path+".perTryTimeout", "%s has no effect: timeout ends all tries after %s", perTry.AsDuration(), all.AsDuration())
	}
}

// validateNoAttempts rejects a policy for retries that are switched off.
func validateNoAttempts(c *checker, path string, r *networking.HTTPRetry) {
	for _, other := range []struct {
		field string
		set   bool
	}{
		{"perTryTimeout", r.PerTryTimeout != nil},
		{"retryOn", r.RetryOn != ""},
		{"retryRemoteLocalities", r.RetryRemoteLocalities != nil},
	} {
		if other.set {
			c.invalid(path+"."+other.field, "stands beside attempts 0, which means no retries: want 1 or more attempts")
		}
	}
}

// validateRetryCondition does not trim: neither does Istio.
func validateRetryCondition(c *checker, path, condition string) {
	// What is no number counts as the status 0, which has no text.
	status, _ := strconv.Atoi(condition)
	switch {
	case condition == "retriable-headers":
		c.warn(path, "%s has no effect: a rule cannot name the headers", condition)
	case condition == "http3-post-connect-failure":
		c.warn(path, "%s has no effect: inmesh does not speak HTTP/3", condition)
	case http.StatusText(status) == "" && !slices.Contains(retryConditions, condition):
		c.invalid(path, "%q: want a known condition or status, separated by commas without spaces", condition)
	}
}
