// An explanation, drawn: the answer first, then why.

import { access, admission } from "./access.js";
import { badge, bar, card, facts, note, tag } from "./ui.js";
import { endpoints, labels } from "./endpoints.js";
import { h, icon } from "./dom.js";
import { percent } from "./format.js";
import { ref, shortHost } from "./refs.js";

export function verdict(e) {
  return [
    summary(e),
    e.routes?.length > 0 && card("Routes, in order", e.rule && ref(e.rule), h("ol", { class: "routes" }, e.routes.map(route))),
    e.losers?.length > 0 && card("Rules for the same host, without effect", null, h("ul", {}, e.losers.map((r) => h("li", {}, ref(r))))),
    e.destinations?.map((d) => destination(d, "of the requests")),
    e.mirrors?.map((d) => destination(d, "copied")),
    e.notes?.length > 0 && card("Where inmesh does other than Istio", null, h("ul", { class: "stack tight" }, e.notes.map((n) => h("li", { class: "break" }, n)))),
  ];
}

function summary(e) {
  const [kind, words] = outcome(e);
  return h("section", { class: `card answer ${kind}` },
    h("p", { class: "quiet mono break" }, `${e.request.method} ${e.request.url}`),
    h("p", { class: "outcome" }, icon(kind === "bad" ? "bad" : kind === "warn" ? "warn" : "ok"), h("strong", {}, words)),
    facts([
      ["service", e.service && h("span", { class: "break" }, e.service, e.port ? `, port ${e.port}` : "")],
      ["rule", e.rule ? ref(e.rule) : e.ours && "none: the default route"],
      ["timeout", e.timeout || (e.ours && "none")], ["retries", e.retries],
      ["access", admission(e.destinations)],
      ["faults", e.faults?.length > 0 && h("span", { class: "row" }, e.faults.map((f) => badge("warn", f, "warn")))],
    ]));
}

function outcome(e) {
  if (e.refused) return ["bad", e.refused];
  if (!e.ours) return ["warn", "Not of this mesh: it would pass unchanged."];
  if (!e.action) return ["bad", "No route matches: it would be refused."];
  if (e.action !== "forward") return ["ok", `${e.action[0].toUpperCase()}${e.action.slice(1)}`];
  const arms = (e.destinations ?? []).map((d) => `${(e.destinations.length > 1 ? `${percent(d.share)} ` : "")}${shortHost(d.host)}${d.subset ? ` ${d.subset}` : ""}`);
  const trouble = e.destinations?.some((d) => d.missing || d.access?.some((a) => !a.allowed));
  return [trouble ? "warn" : "ok", `Forward to ${arms.join(", ")}`];
}

function route(r) {
  return h("li", { class: r.matched ? "matched" : "" },
    icon(r.matched ? "ok" : "no", r.matched ? "matches" : "does not match"),
    h("div", {},
      h("div", { class: "row" }, h("strong", {}, r.name || r.field || "default"), r.name && r.field && r.name !== r.field && tag(r.field), r.line > 0 && h("span", { class: "quiet small" }, `line ${r.line}`), r.matched && badge("ok", "matches")),
      r.failed?.map((f) => h("div", { class: "quiet break" }, `does not hold: ${f}`))));
}

function destination(d, of) {
  return h("section", { class: "card flush", "data-key": `${of} ${d.host} ${d.port} ${d.subset}` },
    h("header", {}, h("h2", { class: "row" }, shortHost(d.host), d.subset && tag(d.subset)), h("strong", { class: "number" }, `${percent(d.share)} ${of}`)),
    h("div", { class: "inset stack tight" }, bar(d.share),
      d.missing && note("bad", d.missing), d.trouble && note("warn", d.trouble),
      facts([["policy", d.policy ? ref(d.policy) : "the defaults: no DestinationRule"], ["labels", labels(d.labels)],
        ["balancing", d.balance?.toLowerCase().replaceAll("_", " ")], ["by the hash of", d.hash]]), access(d)),
    d.endpoints?.length > 0 && endpoints(d.endpoints, `Endpoints of ${d.host} ${d.subset ?? ""}`));
}
