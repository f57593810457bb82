// Who calls whom, live: as a graph or as a table, with more about what is chosen.

import { card, choice, empty, failed, head, loading } from "../ui.js";
import { h, icon, show } from "../dom.js";
import { Graph } from "../topology/graph.js";
import { build } from "../topology/model.js";
import { find } from "../topology/find.js";
import { list } from "../topology/list.js";
import { panel } from "../topology/panel.js";
import { poll } from "../api.js";
import { silent } from "../topology/silent.js";

const remembered = 120; // samples of each rate, two a second

export function start(root, parameters, signal) {
  new Topology(root, parameters, signal).ask();
}

class Topology {
  constructor(root, parameters, signal) {
    this.signal = signal;
    this.asking = new AbortController();
    this.wants = {
      view: parameters.get("view") === "table" ? "table" : "graph",
      fleet: parameters.get("fleet") === "0" ? "0" : "1",
      span: parameters.get("span") === "60" ? "60" : "10",
    };
    Object.assign(this, { chosen: null, samples: new Map(), sorting: {}, answer: null, model: null, error: null, graph: null });
    this.choose = (id) => this.chose(id);
    this.redraw = () => this.draw();
    this.tools = h("div", { class: "tools" });
    this.notes = h("div", { class: "stack notes" });
    this.stage = h("div", { class: "stage" });
    this.box = h("div", { class: "graph", "data-key": "graph" });
    root.append(head("Topology", "Who calls whom, as it happens. Choose a service or a call to see more.", this.tools), this.notes, this.stage);
    root.onkeydown = (e) => { if (e.key === "Escape" && this.chosen) this.choose(null); };
    this.draw();
  }

  // ask asks from now on, by what the reader wants.
  ask() {
    this.asking.abort();
    this.asking = new AbortController();
    this.samples.clear();
    poll(`topology?fleet=${this.wants.fleet}&window=${this.wants.span}s`, {
      signal: AbortSignal.any([this.signal, this.asking.signal]), every: 500,
      got: (answer) => this.got(answer), failed: (error) => { this.error = error; this.draw(); },
    });
  }

  got(answer) {
    Object.assign(this, { answer, error: null, model: build(answer) });
    const entries = [...this.model.nodes.values(), ...this.model.edges].map((x) => [x.key ?? x.id, x.requestsPerSecond]);
    this.samples = new Map(entries.map(([id, rate]) => [id, [...(this.samples.get(id) ?? []), rate].slice(-remembered)]));
    this.draw();
  }

  // change is what the reader wants otherwise; the address remembers it.
  change(name, value) {
    this.wants[name] = value;
    history.replaceState(null, "", `#/topology?${new URLSearchParams(this.wants)}`);
    if (name === "view") this.draw();
    else this.ask();
  }

  // chose leads the reader to the details, which narrow screens have further down,
  // or back from there.
  chose(id) {
    const before = this.chosen;
    this.chosen = id;
    this.draw();
    const details = this.stage.querySelector(".panel");
    if (!id || !details) return this.graph?.focus(before);
    details.querySelector(".close").focus({ preventScroll: true });
    details.scrollIntoView({ block: "nearest" });
  }

  draw() {
    show(this.tools, this.controls());
    show(this.notes, this.error && failed(this.error), silent(this.answer));
    const details = this.model && this.chosen && panel(this.model, this.chosen, this);
    this.stage.classList.toggle("with-panel", Boolean(details));
    show(this.stage, this.calls(), details);
    if (!this.box.isConnected) return;
    this.graph ??= new Graph(this.box, this);
    this.graph.update(this.model, this.chosen);
  }

  calls() {
    if (!this.model) return this.error ? null : loading();
    if (!this.model.nodes.size) return card(null, null, empty("topology", "No calls yet", "Services appear here as soon as they call each other through the mesh."));
    return this.wants.view === "graph" ? this.box : h("div", { class: "card flush", "data-key": "table" }, list(this.model, this));
  }

  controls() {
    const one = (name, label, options) => choice(name, label, options, this.wants[name], (value) => this.change(name, value));
    return [
      find(this.model, this.choose),
      one("span", "Span of time", [["10", "10 s"], ["60", "1 min"]]),
      one("fleet", "Whose calls", [["1", "Fleet"], ["0", "This process"]]),
      one("view", "How to show it", [["graph", icon("topology"), "Graph"], ["table", icon("table"), "Table"]]),
    ];
  }
}
