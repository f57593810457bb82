// Where this process sends requests, and how the servers there are.

import { ago, count, until } from "../format.js";
import { badge, bar, card, empty, failed, head, loading, note, tag, tiles } from "../ui.js";
import { endpoints, stateOf } from "../endpoints.js";
import { h, show } from "../dom.js";
import { ref, shortHost } from "../refs.js";
import { poll } from "../api.js";

const stale = 300; // seconds without a word from discovery that are worth a mention

export async function start(root, parameters, signal) {
  const filter = h("input", { type: "search", placeholder: "Filter by service, subset, address", "aria-label": "Filter" });
  const body = h("div", { class: "stack" }, loading());
  let answer;
  filter.value = parameters.get("filter") ?? "";
  filter.oninput = () => answer && show(body, draw(answer, filter.value));
  root.append(head("Destinations", "Services this process has called, and their endpoints: health, circuits, load.", filter), body);
  await poll("destinations", {
    signal, every: 1000,
    got(next) { answer = next; show(body, draw(answer, filter.value)); },
    failed: (err) => show(body, failed(err)),
  });
}

function draw({ destinations }, wanted) {
  if (!destinations?.length) return card(null, null, empty("destinations", "Nothing called yet", "A destination appears with the first request to it."));
  const shown = destinations.filter((d) => matches(d, wanted.trim().toLowerCase()));
  return [
    h("div", { "data-key": "tiles" }, glance(destinations)),
    shown.map(destination),
    !shown.length && h("div", { "data-key": "none" }, empty("destinations", "No destination like that")),
  ];
}

const matches = (d, wanted) => JSON.stringify([d.service, d.subset, d.endpoints.map((e) => e.address)]).toLowerCase().includes(wanted);

function glance(destinations) {
  const all = destinations.flatMap((d) => d.endpoints);
  const ejected = all.filter((e) => e.circuit === "open").length;
  const away = all.filter((e) => !e.available).length - ejected;
  return tiles([
    ["destinations", count(destinations.length)], ["endpoints", count(all.length)],
    ["ejected", count(ejected), ejected && "bad"], ["otherwise out", count(Math.max(away, 0)), away > 0 && "warn"],
    ["requests under way", count(destinations.reduce((n, d) => n + d.requests, 0))],
  ]);
}

function destination(d) {
  const bad = d.endpoints.filter((e) => stateOf(e)[0] === "bad").length;
  return h("section", { class: "card flush", "data-key": [d.service, d.port, d.subset, d.via].join("|") },
    h("header", {},
      h("h2", { class: "row" }, shortHost(d.service), d.subset && tag(d.subset), d.port ? h("span", { class: "quiet" }, `port ${d.port}`) : null, d.via && h("span", { class: "quiet break" }, `by ${d.via}`)),
      bad > 0 && badge("bad", `${bad} of ${d.endpoints.length} out`, "bad")),
    h("div", { class: "inset row spread" },
      h("div", { class: "row usage" }, usage("requests", d.requests, d.limits?.requests), usage("waiting", d.pending, d.limits?.pending), usage("retries", d.retries, d.limits?.retries)),
      h("div", { class: "row small quiet" }, h("span", {}, words(d.balance)), d.policy ? ref(d.policy) : "no DestinationRule", age(d.discovered))),
    d.trouble && h("div", { class: "inset" }, note("bad", h("strong", {}, "Discovery: "), d.trouble)),
    d.endpoints.length > 0 ? endpoints(d.endpoints, `Endpoints of ${shortHost(d.service)} ${d.subset ?? ""}`)
      : h("p", { class: "inset quiet" }, "No endpoints: a request there fails at once."));
}

// usage is how much there is of something, and how much there may be.
function usage(name, now, limit) {
  if (!limit) return h("span", { class: "use" }, h("b", {}, count(now)), ` ${name}`);
  const share = now / limit;
  return h("span", { class: "use" }, h("b", {}, count(now)), ` of ${count(limit)} ${name}`, bar(share, share >= 0.9 ? "bad" : share >= 0.7 ? "warn" : "", `${count(now)} of ${count(limit)} ${name}`));
}

export const words = (balance) => (balance ?? "").toLowerCase().replaceAll("_", " ");

function age(discovered) {
  if (!discovered) return badge("warn", "never discovered", "warn");
  const old = -until(discovered) > stale;
  return old ? badge("warn", `discovered ${ago(discovered)}`) : h("span", {}, `discovered ${ago(discovered)}`);
}
