// The graph as a table, for those who would rather read it.

import { badge, button, lock } from "../ui.js";
import { milliseconds, percent, rate } from "../format.js";
import { nodeName } from "./words.js";
import { table } from "../table.js";

// list draws it; choose is told which edge is chosen.
export function list(model, { choose, sorting, redraw }) {
  const name = (id) => nodeName(model.nodes.get(id));
  return table({
    label: "Calls between services", state: sorting, redraw, rows: model.edges, key: (e) => e.key, kind: (e) => e.status,
    columns: [
      { label: "From", by: (e) => name(e.source), show: (e) => button(name(e.source), () => choose(e.key), { class: "plain" }) },
      { label: "To", by: (e) => name(e.target), show: (e) => name(e.target) },
      { label: "Share", right: true, by: (e) => e.share ?? -1, show: (e) => e.share !== undefined && percent(e.share) },
      { label: "Requests", right: true, by: (e) => e.requestsPerSecond, show: (e) => rate(e.requestsPerSecond) },
      { label: "Errors", right: true, by: (e) => e.errorRate, show: (e) => (e.errorRate > 0 ? badge(e.status, percent(e.errorRate)) : "none") },
      { label: "Half within", right: true, by: (e) => e.p50Milliseconds, show: (e) => milliseconds(e.p50Milliseconds) },
      { label: "99 % within", right: true, by: (e) => e.p99Milliseconds, show: (e) => milliseconds(e.p99Milliseconds) },
      { label: "Protocol", by: (e) => e.protocol, show: (e) => e.protocol },
      { label: "Protected", by: (e) => String(e.secure), show: (e) => lock(e.secure) },
    ],
  });
}
