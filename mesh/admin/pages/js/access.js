// What the policies on the other side would decide about a request.

import { badge, facts } from "./ui.js";
import { h } from "./dom.js";
import { ref } from "./refs.js";

// verdictsOf are the different decisions, each with the endpoints that it is for.
function verdictsOf(access) {
  const by = Map.groupBy(access, (a) => JSON.stringify([a.allowed, a.reason, a.mode, a.peer, a.trial, a.notes, a.providers]));
  return [...by.values()].map((alike) => ({ ...alike[0], endpoints: alike.flatMap((a) => a.endpoints) }));
}

// access draws what would be decided about the requests to a destination.
export function access(d) {
  const verdicts = verdictsOf(d.access ?? []);
  return verdicts.map((v) => h("section", { class: "access" },
    h("p", { class: "row" }, h("strong", {}, "On the other side"), v.allowed ? badge("ok", "let in", "ok") : badge("bad", "refused", "bad"),
      verdicts.length > 1 && h("span", { class: "quiet small mono break" }, v.endpoints.join(" "))),
    facts([
      ["because", h("span", { class: "break" }, v.reason)], ["by", v.policy && ref(v.policy)],
      ["as", v.peer ? h("code", { class: "break" }, v.peer) : "nobody in particular"], ["mutual TLS", v.mode?.toLowerCase()],
      ["if they agree", v.providers?.join(", ")], ["on trial", v.trial && badge("warn", v.trial, "warn")],
      ["note", v.notes?.length > 0 && v.notes.map((n) => h("div", { class: "break" }, n))],
    ])));
}

// admission is what becomes of all requests: let in, refused, or both.
export function admission(destinations) {
  const all = (destinations ?? []).flatMap((d) => d.access ?? []);
  if (!all.length) return null;
  const refused = all.filter((a) => !a.allowed).length;
  if (!refused) return badge("ok", "let in on the other side", "ok");
  return badge("bad", refused === all.length ? "refused on the other side" : "refused by some endpoints", "bad");
}
