// Who calls whom, live: as a graph or as a table, with more about what is chosen.

import { card, choice, empty, failed, head, loading, note } from "../ui.js";
import { h, icon, show } from "../dom.js";
import { build } from "../topology/model.js";
import { find } from "../topology/find.js";
import { graph } from "../topology/graph.js";
import { list } from "../topology/list.js";
import { panel } from "../topology/panel.js";
import { poll } from "../api.js";

const remembered = 120; // samples of each rate, two a second

export async function start(root, parameters, signal) {
  const state = {
    view: parameters.get("view") === "table" ? "table" : "graph",
    fleet: parameters.get("fleet") === "0" ? "0" : "1",
    span: parameters.get("span") === "60" ? "60" : "10",
  };
  const samples = new Map();
  const sorting = {};
  let model, answer, error, chosen = parameters.get("chosen"), drawing;
  const stage = h("div", { class: "stage" });
  const box = h("div", { class: "graph", "data-key": "graph" });
  const tools = h("div", { class: "tools" });

  function choose(id) {
    const before = chosen;
    chosen = id;
    redraw();
    if (id) enter(stage.querySelector(".panel"));
    else drawing?.focus(before);
  }

  function redraw() {
    const known = chosen && model && (model.nodes.has(chosen) || model.edges.some((e) => e.key === chosen));
    show(tools, controls());
    show(notes, error && failed(error), silent(answer));
    stage.classList.toggle("with-panel", Boolean(known));
    if (!model) show(stage, error ? null : loading());
    else if (!model.edges.length && !model.nodes.size) show(stage, card(null, null, empty("topology", "No calls yet", "Services appear here as soon as they call each other through the mesh.")));
    else {
      show(stage, state.view === "graph" ? box : h("div", { class: "card flush", "data-key": "table" }, list(model, { choose, state: sorting, redraw })),
        known && panel(model, chosen, { history: samples, choose }));
      if (state.view === "graph") draw();
    }
  }

  function draw() {
    drawing ??= graph(box, { choose, signal });
    drawing.mark(chosen);
    drawing.update(model);
  }

  function controls() {
    const change = (name) => (value) => { state[name] = value; keep(state); again(); };
    return [
      find(model, choose),
      choice("span", "Span of time", [["10", "10 s"], ["60", "1 min"]], state.span, change("span")),
      choice("scope", "Whose calls", [["1", "Fleet"], ["0", "This process"]], state.fleet, change("fleet")),
      choice("view", "How to show it", [["graph", icon("topology"), "Graph"], ["table", icon("table"), "Table"]], state.view, (v) => { state.view = v; keep(state); redraw(); }),
    ];
  }

  function got(next) {
    [answer, error, model] = [next, null, build(next)];
    for (const x of [...model.nodes.values(), ...model.edges]) {
      const id = x.key ?? x.id;
      samples.set(id, [...(samples.get(id) ?? []), x.requestsPerSecond].slice(-remembered));
    }
    redraw();
  }

  // again asks at once, by what the reader has changed.
  let asking = new AbortController();
  function again() {
    asking.abort();
    asking = new AbortController();
    samples.clear();
    poll(() => `topology?fleet=${state.fleet}&window=${state.span}s`, {
      signal: AbortSignal.any([signal, asking.signal]), every: 500, got, failed: (err) => { error = err; redraw(); },
    });
  }

  const notes = h("div", { class: "stack notes" });
  const title = head("Topology", "Who calls whom, as it happens. Choose a service or a call to see more.");
  title.lastChild.replaceWith(tools);
  root.append(title, notes, stage);
  root.onkeydown = (e) => { if (e.key === "Escape" && chosen) choose(null); };
  redraw();
  again();
}

// keep has the address remember what the reader wants to see.
function keep(state) {
  history.replaceState(null, "", `#/topology?${new URLSearchParams(state)}`);
}

// enter leads the reader to the details, which narrow screens have further down.
function enter(details) {
  details?.querySelector(".close").focus({ preventScroll: true });
  details?.scrollIntoView({ block: "nearest" });
}

// silent names the instances that did not answer.
function silent(answer) {
  const missing = answer?.instances?.filter((i) => i.error) ?? [];
  if (!missing.length) return null;
  return note("warn", h("details", {}, h("summary", {}, `${missing.length} of ${answer.instances.length} instances did not answer; what they report is missing.`),
    h("ul", {}, missing.map((i) => h("li", { class: "small break" }, `${i.service} ${i.endpoint}: ${i.error}`)))));
}
