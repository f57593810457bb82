// Package consul makes a Consul cluster the control plane of many machines: its
// catalogue says where services live, its KV store holds the rules, its
// intentions say who may call whom.
//
//	client, err := api.NewClient(api.DefaultConfig()) // agent, token, TLS: CONSUL_HTTP_ADDR and so on
//	source, err := consul.NewSource(client, consul.Config{Connect: true}) // those with certificates of Consul's CA
//	m, err := mesh.New(ctx, mesh.Config{
//		Discovery: source,
//		Rules:     consul.Rules(client, "inmesh"),
//		Identity:  consulca.New(client, "productpage"),
//		Access:    consul.Intentions(client, "productpage"),
//	})
//	here, err := consul.Register(ctx, client, consul.Service{Name: "productpage", Port: 9080, Connect: true})
//
// # Discovery
//
// A cluster-local host is the service of its name; reviews.service.consul and
// [tag.]name.service[.datacenter].consul are what they are in Consul's DNS, and
// name.query.consul is a prepared query. Any other host is asked for as it is
// written.
//
// All instances are endpoints, whatever their checks say, since a balancer that
// knows of sick ones can use them when all are: passing is healthy, warning too,
// with the weight for it (none: unhealthy), critical is unhealthy, maintenance is
// draining. Meta are labels, and tags of the form name=value; any other tag is a
// label with the value true, and v2 is version=v2 where nothing else says so. The
// locality is the service's, else the node's, else the datacenter's name as the
// region.
//
// An agent that dies, restarts, loses the leader or its token, or says that there
// is nobody, empties nothing: the last endpoints stand, Source.Status says how old
// they are, and Config.Hold how long an empty answer is not believed.
//
// # Registration
//
// Register says where the process listens. It tells the agent that the process
// lives, or has the agent ask by HTTP or gRPC, registers it again where the agent
// has forgotten it, and on Close drains it before it is deregistered.
//
// # Rules
//
// Publish writes objects into KV, each under prefix/namespace/kind/name, only if the
// whole is valid, and so that they are in force all at once, however many they are;
// Diff says what would change. A RuleSource follows them: what is at fault changes nothing, and Reports
// tells of each subscriber which version it goes by and what it has rejected.
//
// # Access
//
// Intentions decides by the intentions about this service as Consul's proxies do, by
// who calls and, where an intention has permissions, by path, method and headers. In
// a mesh both the intentions and the AuthorizationPolicies must let a request in, so
// that whoever denies wins, from the next request on. While the agent does not
// answer, or intentions cannot be decided here, the last ones stand; a mesh does not
// start before there are any.
//
// # Defaults
//
//  1. Queries wait 30 s, and are at least 500 ms apart when much changes; any
//     server may answer. After trouble there is a random pause of at most 250 ms,
//     doubling to 30 s.
//  2. That all instances, or all rules, are gone is believed after 30 s; in a mesh,
//     that all instances are after its HoldEmpty more, another 30 s.
//  3. Prepared queries are executed every 5 s.
//  4. The agent is told every 2 s that the process lives, and believes it for 15 s.
//     An instance drains for 5 s, and is forgotten after 10 min in a critical state.
//  5. Reports last as long as the subscriber, and 30 s more.
//
// # Concurrency
//
// Everything is safe for concurrent use. The goroutines behind a watch end with
// it; there is nothing to close but Registrations.
//
// # Limits
//
// Each service that is watched keeps a connection to the agent, which takes 200
// of one address (limits.http_max_conns_per_client); a mesh watches, besides those
// that Consul knows, the latest 100 hosts that it does not. An http.Client with a
// Timeout below 45 s ends every query. An old snapshot that is restored is seen
// when the query's wait is over, by agents that stream. Consul's namespaces and
// partitions are those of Enterprise, for which nothing here was tested against a
// real server. A publisher that is killed while it
// writes more than 63 objects, or 320 KiB, leaves subscribers with the rules before
// until the same is published again; who starts meanwhile has none, and is told so
// after 10 s. Intentions that ask for
// tokens, or name sameness groups, cannot be decided here.
package consul
