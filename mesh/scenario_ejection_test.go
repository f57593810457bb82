package mesh_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
)

const noHealthy = "no healthy endpoint"

// A beat is one request of a story: after a pause, to a service whose only host
// would answer with a status; wanted is what the caller gets.
type beat struct {
	pause  time.Duration
	status int
	want   string
}

// repeat is n beats alike, without pauses.
func repeat(n, status int, want string) []beat {
	out := make([]beat, n)
	for i := range out {
		out[i] = beat{status: status, want: want}
	}
	return out
}

func story(parts ...[]beat) (out []beat) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// tell plays a story against one host; a request that is to be refused must not
// reach the host.
func tell(t *testing.T, outlier string, beats []beat) {
	t.Helper()
	documents := []string{policy("reviews", "{outlierDetection: "+outlier+"}"), unretried("reviews")}
	play(t, documents, func(s *scene) {
		host := s.start("reviews", "only")
		for i, b := range beats {
			if b.pause > 0 {
				s.pass(b.pause)
			}
			host.plays(host.says(b.status))
			before, began := host.heard(), time.Now()
			got := s.get("http://reviews/")
			reached := host.heard() - before
			if got.String() != b.want || (reached == 1) != (b.want != noHealthy) {
				s.Fatalf("beat %d: got %v, %d requests reached the host; want %s", i, got, reached, b.want)
			}
			s.took(began, 0)
		}
	})
}

func TestEjectsAtTheFifthConsecutive5xx(t *testing.T) {
	tell(t, "{consecutive5xxErrors: 5, baseEjectionTime: 30s}", story(
		repeat(5, 500, "500"),
		repeat(3, 200, noHealthy)))
}

func TestEjectionLastsTheBaseTimeAndNotAMomentMore(t *testing.T) {
	tell(t, "{consecutive5xxErrors: 5, baseEjectionTime: 30s}", story(
		repeat(5, 503, "503"),
		[]beat{{30*time.Second - time.Millisecond, 200, noHealthy}, {time.Millisecond, 200, "200"}},
		repeat(4, 500, "500"), // the counts began anew
		repeat(1, 200, "200")))
}

func TestAFailedProbeEjectsForLonger(t *testing.T) {
	tell(t, "{consecutive5xxErrors: 5, baseEjectionTime: 30s}", story(
		repeat(5, 500, "500"),
		[]beat{{30 * time.Second, 500, "500"}}, // one failure is enough for a probe
		repeat(2, 200, noHealthy),
		[]beat{{59 * time.Second, 200, noHealthy}, {time.Second, 500, "500"}},
		[]beat{{89 * time.Second, 200, noHealthy}, {time.Second, 200, "200"}},
		repeat(3, 200, "200")))
}

func TestEjectionNeverLastsLongerThanFiveMinutes(t *testing.T) {
	beats := repeat(1, 500, "500")
	for times := range 4 { // 100 s, 200 s, 300 s, 300 s
		lasts := min(time.Duration(times+1)*100*time.Second, 300*time.Second)
		beats = append(beats, beat{lasts - time.Second, 200, noHealthy}, beat{time.Second, 500, "500"})
	}
	tell(t, "{consecutive5xxErrors: 1, baseEjectionTime: 100s}", beats)
}

func TestASuccessInBetweenResetsTheCount(t *testing.T) {
	tell(t, "{consecutive5xxErrors: 5}", story(
		repeat(4, 500, "500"), repeat(1, 200, "200"),
		repeat(4, 500, "500"), repeat(1, 404, "404"), // an answer below 500 is a success
		repeat(5, 500, "500"), repeat(1, 200, noHealthy)))
}

func Test4xxNeverCounts(t *testing.T) {
	tell(t, "{consecutive5xxErrors: 1, consecutiveGatewayErrors: 1}", story(
		repeat(20, 400, "400"), repeat(20, 429, "429"), repeat(20, 499, "499")))
}

func TestGatewayErrorsCountApart(t *testing.T) {
	tell(t, "{consecutive5xxErrors: 0, consecutiveGatewayErrors: 3}", story(
		repeat(20, 500, "500"),
		repeat(2, 502, "502"), repeat(1, 501, "501"), // another 5xx breaks the row
		repeat(1, 502, "502"), repeat(1, 503, "503"), repeat(1, 504, "504"),
		repeat(1, 200, noHealthy)))
}

func TestTimeInRotationShortensTheNextEjection(t *testing.T) {
	tell(t, "{consecutive5xxErrors: 1, baseEjectionTime: 30s, interval: 10s}", story(
		repeat(1, 500, "500"),
		[]beat{{30 * time.Second, 500, "500"}, {60 * time.Second, 200, "200"}},
		// Out twice; a third time at once would be 90 s, one interval later 60 s.
		[]beat{{10 * time.Second, 500, "500"}, {60*time.Second - 1, 200, noHealthy}, {1, 200, "200"}},
		// Forgiven altogether.
		[]beat{{time.Minute, 500, "500"}, {30*time.Second - 1, 200, noHealthy}, {1, 200, "200"}}))
}

func TestNoDetectionWithoutTheBlock(t *testing.T) {
	play(t, []string{unretried("reviews")}, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(host.says(500))
		for range 50 {
			s.want(s.get("http://reviews/"), "500")
		}
	})
}

func TestConnectFailuresCount(t *testing.T) {
	documents := []string{policy("reviews", "{outlierDetection: {consecutive5xxErrors: 5}}"), unretried("reviews")}
	play(t, documents, func(s *scene) {
		host := s.start("reviews", "only")
		host.Refuse()
		for range 5 {
			s.want(s.get("http://reviews/"), "connect failure")
		}
		s.want(s.get("http://reviews/"), noHealthy)
	})
}

func TestTimeoutsCount(t *testing.T) {
	documents := []string{
		policy("reviews", "{outlierDetection: {consecutive5xxErrors: 2, consecutiveGatewayErrors: 2}}"),
		route("reviews", "timeout: 1s"),
	}
	play(t, documents, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Hour, host.says(200)))
		for range 2 {
			s.want(s.get("http://reviews/"), "timeout")
		}
		s.want(s.get("http://reviews/"), noHealthy)
		if c := told(s.journal, &s.journal.circuits); len(c) != 1 || c[0].Event.Reason != breaker.Gateway {
			t.Errorf("a timeout counts as 504, and the gateway detector looks first; got %+v", c)
		}
	})
}

func TestCancellationsDoNotCount(t *testing.T) {
	documents := []string{policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1}}"), unretried("reviews")}
	play(t, documents, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(later(time.Hour, host.says(200)))
		for range 10 {
			s.want(s.cancelled(time.Second, "http://reviews/"), "cancelled by the caller")
		}
		host.plays(host.says(200))
		s.want(s.get("http://reviews/"), "200")
	})
}

func TestLocalFailuresCountApartWhenSplit(t *testing.T) {
	outlier := "{consecutive5xxErrors: 3, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 2}"
	documents := []string{policy("reviews", "{outlierDetection: "+outlier+"}"), unretried("reviews")}
	play(t, documents, func(s *scene) {
		host := s.start("reviews", "only")
		host.plays(host.says(500))
		s.want(s.get("http://reviews/"), "500")
		s.want(s.get("http://reviews/"), "500")
		host.Refuse()
		s.want(s.get("http://reviews/"), "connect failure")
		host.Recover()
		host.plays(host.says(404)) // resets both counts
		s.want(s.get("http://reviews/"), "404")
		host.Refuse()
		s.want(s.get("http://reviews/"), "connect failure")
		s.want(s.get("http://reviews/"), "connect failure")
		s.want(s.get("http://reviews/"), noHealthy)
		if c := told(s.journal, &s.journal.circuits); len(c) != 1 || c[0].Event.Reason != breaker.LocalOrigin {
			t.Errorf("got %+v, want one ejection for local failures", c)
		}
	})
}

func TestAGRPCStatusInTheHeadersCountsAsItsHTTPStatus(t *testing.T) {
	for code, ejects := range map[string]bool{"14": true, "4": true, "13": true, "12": true, "5": false, "7": false, "8": false, "1": false, "0": false} {
		documents := []string{policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1}}"), unretried("reviews")}
		play(t, documents, func(s *scene) {
			host := s.start("reviews", "only")
			host.plays(func(w http.ResponseWriter, _ *http.Request, _ int) { w.Header().Set("Grpc-Status", code) })
			rpc := func() answer { return s.post("http://reviews/", "", "Content-Type", "application/grpc") }
			s.want(rpc(), "200")
			if again := rpc(); (again.String() == noHealthy) != ejects {
				t.Errorf("grpc-status %s: then %v, want an ejection: %v", code, again, ejects)
			}
		})
	}
}

// As in Envoy, whose conditions for retries look for a status of gRPC's anyhow.
func TestAGRPCStatusCountsForNoHostThatWasNotAskedInGRPC(t *testing.T) {
	for on, tries := range map[string]int{"5xx": 1, "unavailable": 2} {
		documents := []string{policy("reviews", "{outlierDetection: {consecutive5xxErrors: 1}}"), route("reviews", "retries: {attempts: 1, retryOn: "+on+"}")}
		play(t, documents, func(s *scene) {
			host := s.start("reviews", "only")
			host.plays(func(w http.ResponseWriter, _ *http.Request, _ int) { w.Header().Set("Grpc-Status", "14") })
			s.want(s.get("http://reviews/"), "200")
			if n := host.heard(); n != tries {
				t.Errorf("%s: %d tries, want %d", on, n, tries)
			}
			s.want(s.get("http://reviews/"), "200")
		})
	}
}
