// What the graph shows, made of what the mesh tells: nodes with their sums,
// groups of versions, edges with their share of a split.

const failing = 0.05; // of the calls of an edge, from which it is red

// keyOf tells edges apart: there may be one for each protocol. No node is called so,
// for names have no line breaks.
const keyOf = (e) => [e.source, e.target, e.protocol, e.secure ? "mtls" : "open"].join("\n");

// statusOf is how well calls go: idle, ok, warn, bad.
function statusOf({ requestsPerSecond, connections, errorRate }) {
  if (!requestsPerSecond && !connections) return "idle";
  if (errorRate >= failing) return "bad";
  return errorRate > 0 ? "warn" : "ok";
}

const serviceOf = (n) => `${n.namespace ?? ""}/${n.name ?? ""}`;
export const titleOf = (n) => n.name || "unknown";

// build makes the model of an answer of api/topology.
export function build(graph) {
  const edges = (graph.edges ?? []).map((e) => ({ ...e, key: keyOf(e), status: statusOf(e) }));
  const nodes = new Map((graph.nodes ?? []).map((n) => [n.id, {
    ...n, service: serviceOf(n), in: edges.filter((e) => e.target === n.id), out: edges.filter((e) => e.source === n.id),
  }]));
  for (const n of nodes.values()) summarize(n);
  for (const e of edges) e.share = shareOf(e, nodes);
  return { nodes, edges, groups: groupsOf(nodes), namespaces: new Set([...nodes.values()].map((n) => n.namespace).filter(Boolean)).size };
}

// summarize says of a node what it answers; of one that nobody calls, what it asks.
function summarize(n) {
  const calls = n.in.length ? n.in : n.out;
  n.requestsPerSecond = sum(calls, "requestsPerSecond");
  n.errorsPerSecond = sum(calls, "errorsPerSecond");
  n.connections = sum(calls, "connections");
  n.errorRate = n.requestsPerSecond ? n.errorsPerSecond / n.requestsPerSecond : 0;
  n.status = n.in.length ? statusOf(n) : "idle";
}

const sum = (list, name) => list.reduce((total, e) => total + (e[name] ?? 0), 0);

// shareOf is what an edge gets of all that its source asks of a service, if the
// service is reached in several versions.
function shareOf(edge, nodes) {
  const service = nodes.get(edge.target)?.service;
  const arms = nodes.get(edge.source)?.out.filter((e) => nodes.get(e.target)?.service === service) ?? [];
  const total = sum(arms, "requestsPerSecond");
  const several = new Set(arms.map((e) => e.target)).size > 1;
  return several && total > 0 ? edge.requestsPerSecond / total : undefined;
}

// groupsOf are the services that have several versions.
function groupsOf(nodes) {
  const by = Map.groupBy(nodes.values(), (n) => n.service);
  return new Map([...by].filter(([, members]) => members.length > 1));
}
