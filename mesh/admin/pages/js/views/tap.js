// Requests as they pass, until the reader stops.

import { button, card, empty, head, note } from "../ui.js";
import { columns, details } from "../tapped.js";
import { count } from "../format.js";
import { filters } from "../filters.js";
import { h, icon, say, show } from "../dom.js";
import { table } from "../table.js";

const kept = 100; // rows, the newest first
const every = 250; // milliseconds between drawings

export function start(root, parameters, signal) {
  const state = { rows: [], seen: 0, dropped: 0, open: null, stream: null, error: null, fresh: true };
  const list = h("div", { class: "stack" });
  const toggle = button("", () => (state.stream ? stop() : listen()), { class: "primary toggle" });
  const { form, query } = filters(parameters, () => { if (state.stream) { stop(); listen(); } });
  root.append(head("Tap", "Requests as they pass through this process: no bodies, secrets masked. It costs nothing while nobody listens.", button("Clear", clear), toggle), form, list);

  function listen() {
    state.error = null;
    state.stream = new EventSource(`api/tap?${query()}`);
    const on = (name, take) => state.stream.addEventListener(name, (e) => take(JSON.parse(e.data)));
    on("request", take);
    on("hello", status);
    on("beat", status);
    on("bye", () => ended("The mesh of this process has been closed."));
    state.stream.onerror = () => ended("The stream has ended: this process has gone, or too many listen to it already.");
    say("Listening");
    draw();
  }

  function status({ dropped }) {
    state.dropped = dropped;
    state.fresh = true;
  }

  function ended(why) {
    state.error = why;
    stop();
  }

  function stop() {
    state.stream?.close();
    state.stream = null;
    say("Stopped");
    draw();
  }

  function clear() {
    Object.assign(state, { rows: [], seen: 0, dropped: 0, open: null });
    draw();
  }

  function take(request) {
    request.number = ++state.seen;
    state.rows = [request, ...state.rows.slice(0, kept - 1)];
    state.fresh = true;
  }

  function open(request) {
    state.open = state.open?.number === request.number ? null : request;
    draw();
  }

  function draw() {
    state.fresh = false;
    show(toggle, state.stream ? [icon("stop"), "Stop"] : [icon("play"), "Start"]);
    show(list, state.error && note("warn", state.error), content(state, open));
  }

  const timer = setInterval(() => state.fresh && draw(), every);
  signal.addEventListener("abort", () => { clearInterval(timer); state.stream?.close(); });
  draw();
}

function content(state, open) {
  if (!state.rows.length) {
    return h("div", { "data-key": "none" }, state.stream ? card(null, null, empty("tap", "Waiting for a request", "None has passed yet that the filter lets through."))
      : card(null, null, empty("tap", "Not listening", "Start, and requests appear here as they end.")));
  }
  const isOpen = (r) => state.open?.number === r.number;
  return [
    state.open && h("section", { class: "card flush", "data-key": `open ${state.open.number}` },
      h("header", {}, h("h2", { class: "mono break" }, `${state.open.method} ${state.open.path}`), button(icon("close"), () => open(state.open), { class: "plain", "aria-label": "Close the details" })),
      details(state.open)),
    h("section", { class: "card flush", "data-key": "rows" },
      h("header", {}, h("h2", {}, state.stream ? "Listening" : "Stopped"), h("span", { class: "quiet small number" }, tally(state))),
      table({ label: "Requests that have passed", rows: state.rows, key: (r) => String(r.number), kind: (r) => (!r.status || r.status >= 500 ? "bad" : r.status >= 400 ? "warn" : ""), columns: columns(open, isOpen) })),
  ];
}

const tally = (s) => `${count(s.seen)} seen${s.seen > s.rows.length ? `, the last ${s.rows.length} shown` : ""}${s.dropped ? `; ${count(s.dropped)} more came too fast` : ""}`;
