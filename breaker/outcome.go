package breaker

// An Outcome is how a request to a host ended, classified once by its sender.
type Outcome uint8

// The outcomes. The zero Outcome says nothing about the host.
const (
	Ignored      Outcome = iota // cancelled by the caller, refused by a limit, a hedge that lost
	Success                     // an answer below 500
	ServerError                 // a 5xx answer other than the next
	GatewayError                // a 502, 503 or 504 answer
	LocalFailure                // no answer: connect failure, reset, timeout
)

// OutcomeOf classifies an answer by its HTTP status. The status of a gRPC
// trailers-only answer is to be mapped to HTTP first; one in real trailers
// counts as the 200 that it came with.
func OutcomeOf(status int) Outcome {
	switch {
	case status >= 502 && status <= 504:
		return GatewayError
	case status >= 500 && status <= 599:
		return ServerError
	}
	return Success
}

// fails reports whether one of the detectors that are on counts the outcome
// against the host.
func (o *Outlier) fails(out Outcome) bool {
	switch {
	case out == ServerError:
		return o.Consecutive5xx > 0
	case out == LocalFailure && o.SplitLocalOrigin:
		return o.ConsecutiveLocalOrigin > 0
	case out == GatewayError, out == LocalFailure:
		return o.Consecutive5xx > 0 || o.ConsecutiveGateway > 0
	}
	return false
}

// clears reports whether the outcome speaks for the host: an answer that no
// detector minds. A local failure that no detector minds says nothing.
func (o *Outlier) clears(out Outcome) bool {
	return out != Ignored && out != LocalFailure && !o.fails(out)
}
