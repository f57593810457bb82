// Who this process proves to be, and whom it trusts. Keys are nowhere in it.

import { ago, count, moment, seconds, until } from "../format.js";
import { badge, bar, card, empty, facts, failed, head, loading, note, tiles } from "../ui.js";
import { h, icon, show } from "../dom.js";
import { poll } from "../api.js";

const late = 0.2; // of a lifetime: what is left when a successor should long be here

export async function start(root, parameters, signal) {
  const body = h("div", { class: "stack" }, loading());
  root.append(head("Certificates", "Who this process proves to be, for how long, and which roots it trusts. No keys are shown."), body);
  await poll("certificates", { signal, every: 2000, got: (c) => show(body, draw(c)), failed: (err) => show(body, failed(err)) });
}

function draw(c) {
  const own = c.chain?.[0];
  return [
    c.trouble && note("bad", h("strong", {}, "No newer credential: "), c.trouble),
    own ? identity(c, own) : card(null, null, empty("certificates", "No identity", "This process has no credential: it speaks plaintext, or TLS by the files that rules name.")),
    c.bundles?.map(bundle),
  ];
}

// left says how much of its life a certificate has left.
function left(c) {
  const life = (Date.parse(c.notAfter) - Date.parse(c.notBefore)) / 1000;
  const rest = until(c.notAfter);
  const share = Math.max(0, Math.min(1, rest / life));
  return { rest, share, kind: rest <= 0 ? "bad" : share < late ? "warn" : "ok" };
}

function identity(c, own) {
  const { rest, kind } = left(own);
  return h("div", { class: "stack", "data-key": "own" },
    h("div", {}, tiles([
      ["expires in", rest > 0 ? seconds(rest) : "expired", kind !== "ok" && kind],
      ["valid for", seconds((Date.parse(own.notAfter) - Date.parse(own.notBefore)) / 1000)],
      ["rotations so far", count(c.rotations)],
      ["trust domains", count(c.bundles?.length)],
    ])),
    h("section", { class: "card flush" },
      h("header", {}, h("h2", { class: "mono" }, c.id || own.subject), badge(kind, kind === "bad" ? "expired" : kind === "warn" ? "expires soon" : "valid", kind)),
      c.chain.map((one, i) => certificate(one, i === 0 ? "Own certificate" : "Intermediate", i === 0))));
}

function bundle(b) {
  return h("section", { class: "card flush", "data-key": `bundle ${b.trustDomain}` },
    h("header", {}, h("h2", {}, "Roots of ", h("span", { class: "mono" }, b.trustDomain)), h("span", { class: "quiet small" }, `${b.roots.length} trusted`)),
    b.roots.map((one) => certificate(one, "Root", false)));
}

function certificate(c, what, open) {
  const { rest, share, kind } = left(c);
  return h("details", { class: "fold", "data-key": c.fingerprint, open },
    h("summary", {}, icon("down"), h("span", { class: "kind quiet" }, what), h("strong", { class: "break" }, c.subject || c.uris?.[0] || `serial ${c.serial}`),
      h("span", { class: "place small quiet" }, rest > 0 ? `expires ${ago(c.notAfter)}` : badge("bad", `expired ${ago(c.notAfter)}`))),
    h("div", { class: "inset stack tight" },
      bar(share, kind === "ok" ? "" : kind, `${Math.round(share * 100)} % of its life is left`),
      facts([
        ["SPIFFE ID", c.uris?.length > 0 && mono(c.uris.join(" "))], ["DNS names", c.dnsNames?.join(", ")],
        ["issued by", c.issuer || (what === "Root" ? "itself" : "a root without a name")],
        ["from", moment(c.notBefore)], ["to", moment(c.notAfter)],
        ["key", [c.key, c.signature && `, signed with ${c.signature}`]], ["serial", mono(c.serial)], ["SHA-256", mono(c.fingerprint)],
      ])));
}

const mono = (text) => h("code", { class: "break" }, text);
