// One request that has passed, in short and in full.

import { badge, facts, tag } from "./ui.js";
import { clock, milliseconds, moment } from "./format.js";
import { h } from "./dom.js";
import { shortHost } from "./refs.js";

// outcome is how a request went, as a badge.
export function outcome(r) {
  if (!r.status) return badge("bad", r.error ? "no answer" : "none", "bad");
  return badge(r.status >= 500 ? "bad" : r.status >= 400 ? "warn" : "ok", r.status);
}

export const columns = (toggle, isOpen) => [
  { label: "Request", show: (r) => h("button", { type: "button", class: "plain opens", "aria-expanded": String(isOpen(r)), onclick: () => toggle(r) },
    h("span", { class: "mono break" }, `${r.method} ${r.path}`)) },
  { label: "At", show: (r) => h("span", { class: "mono" }, clock(r.start)) },
  { label: "Outcome", show: outcome },
  { label: "Took", right: true, show: (r) => milliseconds(r.durationMilliseconds) },
  { label: "Direction", show: (r) => badge(r.direction === "outbound" ? "accent" : "", r.direction === "outbound" ? "sent" : "served") },
  { label: "To or from", show: (r) => h("span", { class: "break" }, r.direction === "outbound" ? shortHost(r.destination || r.service || r.host) : r.peer || r.source, " ", r.subset && tag(r.subset), r.mirror && badge("", "copy")) },
];

// details are all that is known of a request.
export function details(r) {
  return h("div", { class: "inset stack tight" },
    facts([
      ["asked for", h("code", { class: "break" }, `${r.method} ${r.host}${r.path}${r.query ? `?${r.query}` : ""}`)],
      ["began", moment(r.start)], ["error", r.error && h("span", { class: "break" }, r.error)], ["flags", r.flags !== "-" && r.flags],
      ["service", r.service], ["rule", r.rule && `VirtualService ${r.rule}`], ["route", r.route],
      ["endpoint", r.endpoint && h("code", {}, r.endpoint)], ["tries", r.attempts > 1 && String(r.attempts)],
      ["peer", r.peer], ["from", r.source && h("code", {}, r.source)],
    ]),
    r.headers && h("pre", { class: "code", tabindex: "0", "aria-label": "Headers" },
      Object.entries(r.headers).flatMap(([name, values]) => values.map((v) => `${name}: ${v}`)).sort().join("\n")));
}
