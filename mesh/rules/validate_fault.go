package rules

import (
	"slices"

	networking "istio.io/api/networking/v1alpha3"
)

// grpcStatuses are the names of gRPC's codes, by code.
var grpcStatuses = []string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
	"ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
	"UNAUTHENTICATED",
}

func validateFault(c *checker, path string, f *networking.HTTPFaultInjection) {
	if f == nil {
		return
	}
	if f.Delay == nil && f.Abort == nil {
		c.invalid(path, "empty: want delay, abort or both")
	}
	validateDelay(c, path+".delay", f.Delay)
	validateAbort(c, path+".abort", f.Abort)
}

func validateDelay(c *checker, path string, d *networking.HTTPFaultInjection_Delay) {
	if d == nil {
		return
	}
	switch d.HttpDelayType.(type) {
	case *networking.HTTPFaultInjection_Delay_FixedDelay:
	case *networking.HTTPFaultInjection_Delay_ExponentialDelay:
		c.invalid(path+".exponentialDelay", "Istio does not implement it: want fixedDelay")
	default:
		c.warn(path, "has no effect: no fixedDelay is given")
		return
	}
	if d.Percentage == nil && !c.written(path+".percent") {
		warnNever(c, path)
	}
}

func validateAbort(c *checker, path string, a *networking.HTTPFaultInjection_Abort) {
	if a == nil {
		return
	}
	switch e := a.ErrorType.(type) {
	case *networking.HTTPFaultInjection_Abort_HttpStatus:
		validateStatus(c, path+".httpStatus", int64(e.HttpStatus))
	case *networking.HTTPFaultInjection_Abort_GrpcStatus:
		if !slices.Contains(grpcStatuses, e.GrpcStatus) {
			c.invalid(path+".grpcStatus", "%q: want the name of a status such as UNAVAILABLE, in capitals", e.GrpcStatus)
		}
	case *networking.HTTPFaultInjection_Abort_Http2Error:
		c.invalid(path+".http2Error", "%q: Istio does not implement it: want httpStatus or grpcStatus", e.Http2Error)
	default:
		c.warn(path, "has no effect: neither httpStatus nor grpcStatus is given")
		return
	}
	if a.Percentage == nil {
		warnNever(c, path)
	}
}

// warnNever recalls that a fault's share is 0 by default, unlike a mirror's.
func warnNever(c *checker, path string) {
	c.warn(path, "never happens: the share of requests is 0 unless percentage is given")
}
