// What there is to know about the node or edge that is chosen.

import { button, facts, lock, tag } from "../ui.js";
import { h, icon } from "../dom.js";
import { bytes, milliseconds, percent, rate } from "../format.js";
import { histogram, spark } from "./chart.js";
import { nodeName } from "./words.js";
import { titleOf } from "./model.js";

// panel draws it, or nothing if it is gone.
export function panel(model, id, { samples, choose }) {
  const node = model.nodes.get(id);
  const edge = model.edges.find((e) => e.key === id);
  if (!node && !edge) return null;
  return h("aside", { class: "card panel", "aria-label": "Details", "data-key": id },
    node ? ofNode(node, model, samples, choose) : ofEdge(edge, model, samples, choose));
}

function top(choose, ...title) {
  return h("header", {}, h("h2", {}, title),
    button(icon("close"), () => choose(null), { class: "plain close", "aria-label": "Close the details" }));
}

function ofNode(n, model, samples, choose) {
  const explain = `#/explain?host=${encodeURIComponent(n.namespace ? `${n.name}.${n.namespace}` : titleOf(n))}`;
  return [
    top(choose, titleOf(n), " ", n.version && tag(n.version)),
    traffic(n, samples.get(n.id)),
    h("h3", {}, "Workload"),
    facts([["namespace", n.namespace], ["version", n.version], ["id", h("code", { class: "break" }, n.id)]]),
    peers("Called by", n.in, (e) => e.source, model, choose),
    peers("Calls", n.out, (e) => e.target, model, choose),
    n.name && n.in.length > 0 && h("p", { class: "row small foot" },
      h("a", { href: explain }, `Explain a request to ${n.name}`), h("a", { href: `#/destinations?filter=${encodeURIComponent(n.name)}` }, "Its endpoints")),
  ];
}

function ofEdge(e, model, samples, choose) {
  const [from, to] = [model.nodes.get(e.source), model.nodes.get(e.target)];
  return [
    top(choose, nodeName(from), " → ", nodeName(to)),
    h("div", { class: "row" }, lock(e.secure), tag(e.protocol), e.share !== undefined && tag(`${percent(e.share)} of the split`)),
    traffic(e, samples.get(e.key)),
    h("h3", {}, "Latency"),
    histogram((e.reportedBySource ?? e.reportedByTarget)?.latency),
    facts([["half within", milliseconds(e.p50Milliseconds)], ["90 % within", milliseconds(e.p90Milliseconds)], ["99 % within", milliseconds(e.p99Milliseconds)]]),
    h("h3", {}, "As each side has seen it"),
    facts([["by the caller", side(e.reportedBySource)], ["by the called", side(e.reportedByTarget)],
      ["to the caller", `${bytes(e.bytesSentPerSecond)}/s`], ["from the caller", `${bytes(e.bytesReceivedPerSecond)}/s`]]),
    peers("Ends", [e, { ...e, reverse: true }], (x) => (x.reverse ? x.target : x.source), model, choose, true),
  ];
}

const side = (t) => (t ? `${rate(t.requestsPerSecond)}, ${percent(t.errorRate)} fail, 90 % within ${milliseconds(t.p90Milliseconds)}` : "not reported");

function traffic(x, samples) {
  return [
    h("h3", {}, "Traffic"),
    spark(samples ?? []),
    facts([["requests", rate(x.requestsPerSecond)], ["errors", x.errorRate > 0 ? `${percent(x.errorRate)}, ${rate(x.errorsPerSecond)}` : "none"]]),
  ];
}

function peers(title, edges, end, model, choose, ends) {
  if (!edges.length) return null;
  return [h("h3", {}, title), h("ul", { class: "peers" }, edges.map((e) => {
    const at = model.nodes.get(end(e));
    return h("li", {}, button([h("span", { class: "break" }, nodeName(at)),
      !ends && h("span", { class: "number" }, rate(e.requestsPerSecond))], () => choose(ends ? at.id : e.key), { class: "plain" }));
  }))];
}
