// Package interop_test plays gRPC's interop suite through the mesh: each of its
// calls that needs no cloud, in the clear and by mutual TLS, with a rule that
// retries, with servers that refuse some calls, and with a rule that aborts some;
// and through a connection that the caller has made itself, where it chooses the
// policy of load balancing.
//
// What is left out talks to Google's cloud: DoComputeEngineCreds,
// DoServiceAccountCreds, DoJWTTokenCreds, DoOauth2TokenCreds, DoPerRPCCreds,
// DoGoogleDefaultCredentials and DoComputeEngineChannelCredentials want its tokens.
//
// The functions of the suite end the process when they are not content.
package interop_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh/meshgrpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const retries = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: suite}
spec:
  hosts: [suite]
  http:
  - route: [{destination: {host: suite}}]
    retries: {attempts: 10, retryOn: "unavailable,reset,connect-failure", backoff: 1ms}
`

const aborts = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: suite}
spec:
  hosts: [suite]
  http:
  - fault: {abort: {grpcStatus: UNAVAILABLE, percentage: {value: 1}}}
    route: [{destination: {host: suite}}]
    retries: {attempts: 10, retryOn: unavailable, backoff: 1ms}
`

const hurried = "TimeoutOnSleepingServer"

// suite are the calls that need neither a cloud nor a policy of load balancing in
// the mesh's place.
var suite = []struct {
	name string
	do   func(ctx context.Context, conn grpc.ClientConnInterface)
}{
	{"EmptyUnaryCall", of(interop.DoEmptyUnaryCall)},
	{"LargeUnaryCall", of(interop.DoLargeUnaryCall)},
	{"ClientStreaming", of(interop.DoClientStreaming)},
	{"ServerStreaming", of(interop.DoServerStreaming)},
	{"PingPong", of(interop.DoPingPong)},
	{"EmptyStream", of(interop.DoEmptyStream)},
	{hurried, of(interop.DoTimeoutOnSleepingServer)},
	{"CancelAfterBegin", of(interop.DoCancelAfterBegin)},
	{"CancelAfterFirstResponse", of(interop.DoCancelAfterFirstResponse)},
	{"CustomMetadata", of(interop.DoCustomMetadata)},
	{"StatusCodeAndMessage", of(interop.DoStatusCodeAndMessage)},
	{"SpecialStatusMessage", of(interop.DoSpecialStatusMessage)},
	{"UnimplementedService", func(ctx context.Context, conn grpc.ClientConnInterface) {
		interop.DoUnimplementedService(ctx, testpb.NewUnimplementedServiceClient(conn))
	}},
	{"UnimplementedMethod", func(ctx context.Context, conn grpc.ClientConnInterface) {
		interop.DoUnimplementedMethod(ctx, conn.(*grpc.ClientConn))
	}},
}

func of(do func(context.Context, testpb.TestServiceClient, ...grpc.CallOption)) func(context.Context, grpc.ClientConnInterface) {
	return func(ctx context.Context, conn grpc.ClientConnInterface) { do(ctx, testpb.NewTestServiceClient(conn)) }
}

func TestTheSuite(t *testing.T) {
	for name, s := range map[string]setting{
		"plain":                       {},
		"mutual TLS":                  {mutual: true},
		"retries":                     {rules: retries},
		"retries of what is refused":  {rules: retries, refused: 0.01},
		"all of that by mutual TLS":   {rules: retries, refused: 0.01, mutual: true},
		"most calls are refused once": {rules: retries, refused: 0.2},
		"aborts of the rule's":        {rules: aborts, repeated: true},
	} {
		t.Run(name, func(t *testing.T) {
			conn := play(t, s)
			for _, one := range suite {
				if one.name == hurried && s.refused > 0 { // its millisecond is over before the second try
					continue
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				for range 3 {
					one.do(ctx, conn)
				}
				cancel()
			}
		})
	}
}

// What a rule aborts does not leave this side, and is not repeated: the fault stands
// before the tries, as in Envoy.
func TestAbortedCallsFailAndNoOthers(t *testing.T) {
	const calls = 20_000
	caller, _, served := stage(t, setting{rules: aborts})
	conn, err := meshgrpc.NewClient(caller, "mesh:///suite")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client, failed := testpb.NewTestServiceClient(conn), 0
	for range calls {
		switch _, err := client.EmptyCall(t.Context(), new(testpb.Empty)); status.Code(err) {
		case codes.OK:
		case codes.Unavailable:
			failed++
		default:
			t.Fatal(err)
		}
	}
	if got := served.Load(); got != int64(calls-failed) {
		t.Errorf("%d calls were served, and %d of %d failed", got, failed, calls)
	}
	if failed < calls/200 || failed > calls/50 { // seven standard deviations and more
		t.Errorf("%d of %d calls were aborted, want about 1 %%", failed, calls)
	}
}

// The suite has a policy of its own for reports of load, which it finds again in the
// context of a call.
func TestTheSuiteByPoliciesOfTheCallersOwn(t *testing.T) {
	for name, c := range map[string]struct {
		do      func(context.Context, testpb.TestServiceClient)
		policy  string
		servers int
	}{
		"PickFirstUnary": {interop.DoPickFirstUnary, "pick_first", 2},
		"ORCAPerRPCTest": {interop.DoORCAPerRPCTest, "test_backend_metrics_load_balancer", 2},
		"ORCAOOBTest":    {interop.DoORCAOOBTest, "test_backend_metrics_load_balancer", 1},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			c.do(ctx, testpb.NewTestServiceClient(wrapped(t, c.policy, c.servers)))
		})
	}
}

func TestTheSuitesLoadHasNoFailures(t *testing.T) {
	conn := play(t, setting{rules: retries, refused: 0.01, mutual: true})
	interop.DoSoakTest(t.Context(), interop.SoakTestConfig{
		RequestSize: 271828, ResponseSize: 314159, Iterations: 200, NumWorkers: 8, ServerAddr: conn.Target(),
		PerIterationMaxAcceptableLatency: time.Minute, OverallTimeout: 5 * time.Minute,
		ChannelForTest: func() (*grpc.ClientConn, func()) { return conn, func() {} },
	})
}

func TestTheSuiteThroughAWrappedConnection(t *testing.T) {
	conn := wrapped(t, "round_robin", 2)
	for _, one := range suite {
		if one.name == "UnimplementedMethod" { // it takes nothing but a *grpc.ClientConn
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		one.do(ctx, conn)
		cancel()
	}
}
