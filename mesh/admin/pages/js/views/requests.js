// The requests that are under way, the oldest first.

import { badge, card, choice, empty, failed, head, loading, tag, tiles } from "../ui.js";
import { bytes, count, seconds, until } from "../format.js";
import { h, show } from "../dom.js";
import { poll } from "../api.js";
import { shortHost } from "../refs.js";
import { table } from "../table.js";

const slow = 1, stuck = 10; // seconds after which a request is worth a look, or more than one
const shown = 200; // rows at most

export async function start(root, parameters, signal) {
  const body = h("div", { class: "stack" }, loading());
  const tools = h("div", { class: "tools" });
  const sorting = {};
  let direction = parameters.get("direction") ?? "", answer;
  root.append(head("In flight", "Requests under way in this process, sent and served, the oldest first.", tools), body);

  function redraw() {
    show(tools, choice("direction", "Direction", [["", "All"], ["outbound", "Sent"], ["inbound", "Served"]], direction, (d) => { direction = d; redraw(); }));
    if (answer) show(body, draw(answer, direction, sorting, redraw));
  }
  redraw();
  await poll("requests", { signal, every: 1000, got(next) { answer = next; redraw(); }, failed: (err) => show(body, failed(err)) });
}

const age = (r) => -until(r.start);
const raw = (r) => r.protocol === "tcp"; // a connection, which may well stand for long

function draw({ requests: all, total }, direction, state, redraw) {
  const some = all.filter((r) => !direction || r.direction === direction);
  const oldest = Math.max(0, ...all.filter((r) => !raw(r)).map(age));
  return [
    h("div", { "data-key": "tiles" }, tiles([
      ["under way", count(total)],
      ["sent", count(all.filter((r) => r.direction === "outbound").length)],
      ["served", count(all.filter((r) => r.direction === "inbound").length)],
      ["oldest", all.length ? seconds(oldest) : "–", oldest >= stuck ? "bad" : oldest >= slow && "warn"],
      ["in a further try", count(all.filter((r) => r.attempts > 1).length)],
    ])),
    some.length === 0 ? card(null, null, empty("requests", "Nothing under way", "Requests that take no time are over before they can be seen here; the tap shows them."))
      : h("section", { class: "card flush", "data-key": "list" }, rows(some.slice(0, shown), state, redraw),
        some.length > shown && h("p", { class: "inset quiet" }, `and ${count(some.length - shown)} younger ones`)),
  ];
}

function rows(list, state, redraw) {
  return table({
    label: "Requests under way", rows: list, state, redraw, kind: (r) => (raw(r) ? "" : age(r) >= stuck ? "bad" : age(r) >= slow ? "warn" : ""),
    columns: [
      { label: "Request", by: (r) => r.path, show: (r) => [h("span", { class: "mono break" }, raw(r) ? `tcp, ${bytes(r.bytesReceived ?? 0)} asked, ${bytes(r.bytesSent ?? 0)} answered` : `${r.method} ${r.path}`), h("div", { class: "quiet small break" }, r.host)] },
      { label: "For", right: true, by: age, show: (r) => seconds(Math.max(age(r), 0)) },
      { label: "Direction", by: (r) => r.direction, show: (r) => badge(r.direction === "outbound" ? "accent" : "", r.direction === "outbound" ? "sent" : "served") },
      { label: "To or from", by: (r) => r.service ?? r.peer ?? "", show: otherSide },
      { label: "Route", by: (r) => r.route ?? "", show: (r) => r.route && tag(r.route) },
      { label: "Try", right: true, by: (r) => r.attempts ?? 1, show: (r) => (r.attempts > 1 ? badge("warn", r.attempts) : r.attempts ? String(r.attempts) : null) },
    ],
  });
}

function otherSide(r) {
  if (r.direction === "inbound") return [h("span", { class: "break" }, r.peer || "nobody in particular"), h("div", { class: "quiet small mono" }, r.source)];
  return [h("span", { class: "break" }, shortHost(r.service)), " ", r.mirror && badge("", "copy"), h("div", { class: "quiet small mono" }, r.endpoint || "no endpoint yet")];
}
