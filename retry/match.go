package retry

import "net/http"

// Match reports whether the conditions ask for another try after t, before
// anything else is considered.
//
// Of answers it follows Envoy's RetryStateImpl::wouldRetryFromHeaders: a
// rate-limited one is judged by that alone, its status does not matter.
func (c *Conditions) Match(t *Try) bool {
	switch {
	case t.Failure != None:
		return c.On&causes(t) != 0
	case t.RateLimited:
		return c.On&OnRateLimited != 0
	case c.On&OnStatusCodes != 0 && c.Status.Has(t.Status):
		return true
	case t.Status < http.StatusBadRequest && t.GRPCStatus <= 0: // most answers; only the list knows them
		return false
	}
	return c.On&(statusCauses(t.Status)|grpcCauses(t.GRPCStatus)) != 0
}

// statusCauses are the conditions, besides the list, under which a status is retried.
func statusCauses(status int) On {
	switch {
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return On5xx | OnGatewayError
	case status >= 500 && status <= 599:
		return On5xx
	case status == http.StatusConflict:
		return OnRetriable4xx
	}
	return 0
}

func grpcCauses(status int) On {
	switch status {
	case 1:
		return OnCancelled
	case 4:
		return OnDeadlineExceeded
	case 8:
		return OnResourceExhausted
	case 13:
		return OnInternal
	case 14:
		return OnUnavailable
	}
	return 0
}

// causes are the conditions under which a try without an answer is retried.
// Envoy counts every reset as the 5xx in which it will result, so 5xx,
// gateway-error and reset cover all of them.
func causes(t *Try) On {
	on := On5xx | OnGatewayError | OnReset
	switch t.Failure {
	case ConnectFailure:
		on |= OnConnectFailure
	case RefusedStream:
		on |= OnRefusedStream
	case Reset, PerTryTimeout:
	default:
		return 0
	}
	if t.unsent() {
		on |= OnResetBeforeRequest
	}
	return on
}
