package repository_test

import (
	"slices"
	"strings"
	"testing"
)

// module is the path of the repository's module; the table leaves it out.
const module = "github.com/inmesh-go/inmesh"

// why maps what a package may import, beside the standard library, to the reason.
// A name that ends in "/..." stands for all packages below it.
type why map[string]string

// mayImport is who may know whom. Leaves (balancer, breaker, retry, discovery)
// know nothing of each other, so that each works alone.
var mayImport = map[string]why{
	".": {}, // the map, and no code
	"discovery": {
		"golang.org/x/net/dns/dnsmessage": "net.Resolver does not tell the TTLs of records",
	},
	"discovery/discoverytest": {
		"discovery": "it is the conformance suite of its sources",
	},
	"balancer": {
		"discovery":                    "the Endpoint is what is chosen, as a value",
		"github.com/cespare/xxhash/v2": "ring hash and maglev want a hash that all processes agree on, which hash/maphash is not",
	},
	"breaker": {
		"github.com/sony/gobreaker/v2": "a circuit is its state machine",
	},
	"retry": {
		"golang.org/x/time/rate": "the floor of the retry budget is a token bucket",
	},
	"mesh/rules": {
		"istio.io/api/...":               "rules are Istio's own types, decoded as Istio does",
		"google.golang.org/protobuf/...": "those types are messages, examined by reflection",
		"go.yaml.in/yaml/v3":             "rule files are YAML, and faults name its lines",
		"github.com/fsnotify/fsnotify":   "a changed file is in force within a second",
		"mesh/internal/cel":              "an expression is a fault where it stands, not where it is used",
	},
	"tlsid": {},
	"tlsid/spiffe": {
		"tlsid":                              "it is one of its sources",
		"github.com/spiffe/go-spiffe/v2/...": "the Workload API's own client",
		"google.golang.org/grpc/...":         "that client speaks gRPC: dialling is bounded, status codes are told apart",
	},
	"tlsid/consulca": {
		"tlsid":                           "it is one of its sources",
		"internal/blocking":               "roots and leaves are followed by blocking queries",
		"github.com/hashicorp/consul/api": "the agent's own client",
	},
	"discovery/consul": {
		"discovery":                       "it is one of its sources",
		"internal/blocking":               "the catalogue is followed by blocking queries",
		"github.com/hashicorp/consul/api": "the agent's own client",
		"mesh/rules":                      "rules stand in the KV store",
		"mesh/authz":                      "intentions decide about requests as policies see them",
		"tlsid":                           "endpoints and intentions name identities",
	},
	"internal/blocking": {
		"github.com/hashicorp/consul/api": "the agent's own client",
		"golang.org/x/time/rate":          "queries are paced",
	},
	"internal/consultest": {},
	"mesh/internal/inside": {
		"mesh/internal/deadline": "the same",
		"mesh/internal/report":   "the same",
		"mesh/authz":             "what the faces of the mesh share, as values",
		"mesh/internal/engine":   "the same",
		"mesh/internal/guard":    "the same",
		"mesh/internal/plan":     "the same",
		"tlsid":                  "the same",
	},
	"mesh/meshgrpc": {
		"mesh":                           "it is a face of it",
		"mesh/internal/...":              "the journey is the engine's, the door the guard's",
		"mesh/authz":                     "how a port is connected to is its word",
		"mesh/telemetry":                 "calls are told in its words",
		"google.golang.org/grpc/...":     "what it is the mesh's face of",
		"google.golang.org/protobuf/...": "messages are kept for a retry",
		"breaker":                        "connections take places under its limits",
		"discovery":                      "endpoints are asked for their health",
		"retry":                          "gRPC outcomes are classified in its words",
		"tlsid":                          "connections prove identities",
	},
	"mesh/telemetry": {
		"go.opentelemetry.io/otel/...":   "what happened is told in its terms",
		"istio.io/api/...":               "Telemetry resources are Istio's own types",
		"mesh/internal/cel":              "filters are expressions",
		"google.golang.org/protobuf/...": "what a peer says of itself is a message",
		"mesh/telemetry/topology":        "the graph is drawn from the same records",
	},
	"mesh/internal/cel":       {},
	"mesh/telemetry/topology": {},
	"mesh/telemetry/producer": {
		"go.opentelemetry.io/otel/attribute": "points of the same labels are added up",
		"mesh/telemetry":                     "its metrics are what it produces",
		"go.opentelemetry.io/otel/sdk/...":   "histograms that are observed rather than recorded are an SDK's producer",
	},
	"mesh/authz": {
		"mesh/rules":       "policies are what it compiles",
		"tlsid":            "a policy names identities",
		"istio.io/api/...": "policies are Istio's own types",
	},
	"mesh/internal/mask": {},
	"mesh/internal/jwt": {
		"mesh/rules":                    "RequestAuthentications are what it compiles",
		"istio.io/api/...":              "those are Istio's own types",
		"github.com/go-jose/go-jose/v4": "tokens and key sets are parsed and verified by a library that others watch over",
	},
	"mesh/internal/ratelimit": {
		"mesh/rules":             "policies are what it compiles",
		"golang.org/x/time/rate": "each bound is a token bucket",
	},
	"mesh/internal/sniff": {
		"mesh/internal/places": "who comes when all places are taken",
	},
	"mesh/internal/report": {
		"mesh/internal/engine": "what became of a call",
		"mesh/internal/flight": "streams are told of while they last",
		"mesh/internal/guard":  "why a request was refused",
		"mesh/internal/plan":   "what a call was addressed to",
		"mesh/telemetry":       "who is told",
		"breaker":              "a call hears of ejections",
		"retry":                "why a try failed, in its words",
		"discovery":            "a service has names",
		"tlsid":                "both ends have identities",
	},
	"mesh/internal/guard": {
		"mesh/rules":              "a set of rules is what it goes by",
		"mesh/authz":              "whether the policies let a request in",
		"mesh/internal/jwt":       "whether its token is good",
		"mesh/internal/ratelimit": "whether there is a rate left",
		"mesh/internal/plan":      "which route it takes, for rates by route",
		"tlsid":                   "who the peer is",
	},
	"mesh/internal/h1": {},
	"mesh/internal/h2": {},
	"mesh/internal/clienttls": {
		"tlsid": "connections by the own identity",
	},
	"mesh/internal/counted":  {},
	"mesh/internal/deadline": {},
	"mesh/internal/doorway": {
		"mesh/internal/places": "who comes when all places are taken",
	},
	"mesh/internal/places": {},
	"mesh/internal/flight": {},
	"mesh/internal/follow": {},
	"mesh/internal/replay": {},
	"mesh/internal/plan": {
		"mesh/rules":                     "rules are what it compiles",
		"mesh/authz":                     "whether an endpoint takes mutual TLS is a PeerAuthentication's to say",
		"tlsid":                          "endpoints have identities",
		"discovery":                      "a ServiceEntry lists endpoints, as values",
		"balancer":                       "a trafficPolicy becomes a balancer's Config",
		"breaker":                        "a trafficPolicy becomes limits and outlier detection",
		"retry":                          "an HTTPRetry becomes a retry policy",
		"istio.io/api/...":               "rules are Istio's own types",
		"google.golang.org/protobuf/...": "those types are messages: policies are merged by cloning them",
	},
	"mesh/internal/engine": {
		"mesh/rules":           "a call tells which rule it goes by",
		"mesh/internal/plan":   "a call obeys the plan",
		"mesh/internal/follow": "endpoints are followed by the one control loop",
		"mesh/internal/flight": "calls under way can be looked at",
		"discovery":            "hosts come from its sources",
		"balancer":             "stage 4, pick",
		"breaker":              "stage 3, admit; and each host's circuit",
		"retry":                "stage 7, decide",
	},
	"mesh": {
		"mesh/internal/...":  "it wires them",
		"mesh/rules":         "Config names the source of rules",
		"mesh/authz":         "how paths are normalised, and how a port is connected to, are its words",
		"mesh/telemetry/...": "Config says what is told, and where to; Graph is its topology",
		"discovery":          "Config names the source of endpoints",
		"tlsid":              "Config names the source of the identity",
		"breaker":            "observers are told the events of circuits; connections take places under its limits",
		"retry":              "Config has the hedge; HTTP outcomes are classified in its words",
	},
	"mesh/admin": {
		"mesh":                    "what it shows",
		"mesh/rules":              "rules and their faults are shown",
		"discovery":               "other instances are at endpoints",
		"mesh/internal/mask":      "secrets are not",
		"mesh/telemetry/topology": "the graph is shown, and merged with those of others",
		"tlsid":                   "who may look is told by identities",
	},
	"mesh/meshtest": {
		"mesh":      "it is the mesh, in memory, for the tests of users",
		"discovery": "the fleet is a source of endpoints",
		"tlsid":     "its workloads have identities",
	},
	"internal/repository": {},
}

// inTests is what every package's tests may import beside what the package may.
var inTests = why{
	"go.uber.org/goleak":              "no test leaves a goroutine behind",
	"discovery":                       "endpoints are values that most things are tested with",
	"discovery/discoverytest":         "whoever has a source holds it to the suite",
	"mesh/rules":                      "rules are written as users write them",
	"mesh":                            "a source is held to what the mesh does with it",
	"internal/consultest":             "users have a real Consul, so have tests",
	"tlsid/consulca":                  "Consul's services and their certificates are one world",
	"go.opentelemetry.io/otel/...":    "what is told is read back",
	"mesh/meshtest":                   "the fleet in memory",
	"tlsid":                           "peers have identities",
	"istio.io/api/...":                "what is tested is compared with Istio's own types",
	"google.golang.org/protobuf/...":  "those types are messages",
	"golang.org/x/net/dns/dnsmessage": "a DNS server in memory answers in it",
	"golang.org/x/net/nettest":        "connections are held to net.Conn",
}

// TestImports: each import of a package stands in the table. Programs
// (examples) may import anything of the module, and nobody imports a program.
func TestImports(t *testing.T) {
	for _, p := range packages(t) {
		name := short(p.ImportPath)
		if strings.HasPrefix(name, "examples/") {
			continue
		}
		allowed, ok := mayImport[name]
		if !ok {
			t.Errorf("package %s has no line in the table of who may import whom", name)
			continue
		}
		for _, imp := range p.Imports {
			if !allows(allowed, imp) {
				t.Errorf("%s imports %s: no reason for it stands in the table", name, short(imp))
			}
		}
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			if imp != p.ImportPath && !allows(allowed, imp) && !allows(inTests, imp) {
				t.Errorf("a test of %s imports %s: no reason for it stands in the table", name, short(imp))
			}
		}
	}
}

// TestTableIsTrue: no line of the table is about a package that does not exist,
// or allows what nobody makes use of.
func TestTableIsTrue(t *testing.T) {
	imported := map[string][]string{}
	for _, p := range packages(t) {
		imported[short(p.ImportPath)] = p.Imports
	}
	for name, allowed := range mayImport {
		imports, ok := imported[name]
		if !ok {
			t.Errorf("the table has a line for package %s, which does not exist", name)
		}
		for pattern := range allowed {
			used := func(imp string) bool { return !standard(imp) && allows(why{pattern: ""}, imp) }
			if !slices.ContainsFunc(imports, used) {
				t.Errorf("the table lets %s import %s, which it does not", name, pattern)
			}
		}
	}
}

// TestExamplesImportThePublicFace: an example shows what users can do.
func TestExamplesImportThePublicFace(t *testing.T) {
	for _, p := range packages(t) {
		if !strings.HasPrefix(short(p.ImportPath), "examples/") {
			continue
		}
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, module) && strings.Contains(short(imp), "internal/") && !below(imp, p.ImportPath) {
				t.Errorf("%s imports %s, which users cannot", short(p.ImportPath), short(imp))
			}
		}
	}
}

func allows(table why, imp string) bool {
	if standard(imp) {
		return true
	}
	imp = short(imp)
	for pattern := range table {
		if parent, ok := strings.CutSuffix(pattern, "/..."); imp == pattern || ok && below(imp, parent) {
			return true
		}
	}
	return false
}

// below says that path is parent or stands under it.
func below(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// standard says that path is of the standard library: its first element has no dot.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// short leaves out the module's path; "." is the root package.
func short(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}
