// The endpoints of a destination, as this process sees them.

import { ago, until } from "./format.js";
import { badge, tag } from "./ui.js";
import { h } from "./dom.js";
import { table } from "./table.js";

// stateOf is what matters most about an endpoint: kind, text, and why.
export function stateOf(e) {
  if (e.circuit === "open") return ["bad", "ejected", `${e.reason}, back ${until(e.until) > 0 ? ago(e.until) : "soon"}`];
  if (e.health !== "healthy") return [e.health === "draining" ? "warn" : "bad", e.health, "as discovery says"];
  if (e.circuit === "half-open") return ["warn", "on probation", `one request decides; it was ejected for ${e.reason}`];
  if (!e.available) return ["warn", "not available", ""];
  if (e.priority < 0) return ["", "unused", "others are nearer"];
  return ["ok", "healthy", e.ejections > 0 && `ejected before: ${e.reason}`];
}

const symbols = { ok: "ok", warn: "warn", bad: "bad" };

function state(e) {
  const [kind, text, why] = stateOf(e);
  return [badge(kind, text, symbols[kind]), why && h("div", { class: "quiet small" }, why)];
}

// labels are those of an endpoint, the version first, without what is there for the
// mesh alone.
export function labels(all) {
  const pairs = Object.entries(all ?? {}).filter(([k]) => !k.startsWith("inmesh.io/")).sort(([a], [b]) => (b === "version") - (a === "version") || a.localeCompare(b));
  return pairs.length > 0 && h("span", { class: "row" }, pairs.map(([k, v]) => tag(k === "version" ? v : `${k}=${v}`)));
}

function protection(tls) {
  const [how, whom] = tls.split(", expecting ");
  if (how === "none") return badge("", "plaintext", "unlock");
  return [badge("ok", how === "identity" ? "mTLS" : how, "lock"), whom && h("div", { class: "quiet small break" }, whom)];
}

// endpoints is the table of them.
export function endpoints(list, label) {
  return table({
    label, rows: list, key: (e) => e.address, kind: (e) => stateOf(e)[0],
    columns: [
      { label: "Endpoint", show: (e) => [h("span", { class: "mono" }, e.address), e.locality && h("div", { class: "quiet small" }, e.locality)] },
      { label: "Labels", show: (e) => labels(e.labels) },
      { label: "State", show: state },
      { label: "Failures in a row", right: true, show: (e) => e.failures || "0" },
      { label: "Under way", right: true, show: (e) => e.active || "0" },
      { label: "Weight", right: true, show: (e) => (e.priority > 0 ? `${e.weight}, priority ${e.priority}` : e.weight) },
      { label: "Protected", show: (e) => protection(e.tls) },
    ],
  });
}
