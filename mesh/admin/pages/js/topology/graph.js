// The graph: labels over the drawing, which are the buttons that choose.

import { Camera, placeOf } from "./camera.js";
import { h, show } from "../dom.js";
import { canvas, groupKey } from "./canvas.js";
import { edgeLabel, edgeSaid, nodeLabel, nodeSaid } from "./words.js";
import { rove } from "./rove.js";

const dense = 24, crowded = 70; // edges from which on labels say less

export class Graph {
  // choose is told the id of what is chosen, or null; the graph ends with signal.
  constructor(root, { choose, signal }) {
    const drawing = h("div", { class: "canvas", "aria-hidden": "true" });
    this.overlay = h("div", { class: "overlay", role: "group", "aria-label": "Services and calls. The arrow keys move from one to the next, Enter shows more." });
    root.replaceChildren(drawing, this.overlay, legend());
    Object.assign(this, { root, choose, signal, drawing: canvas(drawing), model: null, chosen: null });
    this.cy = this.drawing.cy;
    this.camera = new Camera(this.cy, this.overlay, this.drawing.fit);
    this.roving = rove(this.overlay, { at: (id) => placeOf(this.cy.getElementById(id)), reveal: (id) => this.camera.reveal(id) });
    root.append(this.camera.tools());
    this.listen(drawing);
  }

  listen(drawing) {
    this.cy.on("position", "node", () => this.soon(() => this.place()));
    this.cy.on("tap", (e) => {
      if (e.target === this.cy) this.choose(null);
      else if (!e.target.isParent()) this.choose(e.target.id());
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.drawing.recolour, { signal: this.signal });
    const sized = new ResizeObserver(() => this.resized());
    sized.observe(drawing);
    this.signal.addEventListener("abort", () => { sized.disconnect(); this.cy.destroy(); });
  }

  // soon does something before the next frame, if the graph is still there.
  soon(something) {
    requestAnimationFrame(() => this.signal.aborted || something());
  }

  resized() {
    this.camera.resized();
    if (this.model) this.update(this.model, this.chosen);
  }

  // update shows a model, and what of it is chosen.
  update(model, chosen) {
    const other = chosen !== this.chosen;
    Object.assign(this, { model, chosen });
    if (this.drawing.draw(model)) this.camera.all();
    this.mark();
    this.label();
    if (other && chosen) this.soon(() => this.camera.approach(chosen));
  }

  // mark tells the edges of what is chosen from all others.
  mark() {
    this.root.classList.toggle("dense", this.model.edges.length > dense);
    this.root.classList.toggle("crowded", this.model.edges.length > crowded);
    this.root.classList.toggle("narrow", this.drawing.narrow());
    this.cy.edges().forEach((e) => {
      const near = [e.id(), e.source().id(), e.target().id()].includes(this.chosen);
      e.toggleClass("chosen", e.id() === this.chosen).toggleClass("far", this.chosen !== null && !near);
    });
  }

  label() {
    const { groups, edges, nodes } = this.model;
    show(this.overlay,
      [...groups.keys()].map((id) => h("span", { class: "group", "data-key": groupKey(id) }, id.split("/").pop())),
      edges.map((e) => this.button(e.key, `edge ${e.status} ${[e.key, e.source, e.target].includes(this.chosen) ? "near" : ""}`, edgeSaid(e, nodes), edgeLabel(e))),
      [...nodes.values()].map((n) => this.button(n.id, `node ${n.status}`, nodeSaid(n), nodeLabel(n, this.model))));
    this.place();
    this.roving.refresh();
  }

  button(id, kind, said, content) {
    return h("button", {
      type: "button", class: kind, "data-key": id, "aria-label": said, "aria-pressed": String(id === this.chosen), onclick: () => this.choose(id),
    }, content);
  }

  // place puts the labels where the drawing has what they belong to.
  place() {
    for (const label of this.overlay.children) {
      const of = this.cy.getElementById(label.dataset.key);
      if (of.empty()) continue;
      const { x, y } = of.isParent() ? this.corner(of) : of.isEdge() ? this.middle(of) : of.position();
      label.style.transform = `translate(${x}px, ${y}px) translate(${of.isParent() ? "0" : "-50%"}, -50%)`;
    }
    this.camera.follow();
  }

  // middle is that of an edge; narrow graphs have more room near its end.
  middle(edge) {
    const mid = edge.midpoint(), end = edge.targetEndpoint(), part = this.drawing.narrow() ? 0.3 : 0;
    return { x: mid.x + part * (end.x - mid.x), y: mid.y + part * (end.y - mid.y) };
  }

  corner(group) {
    const box = group.boundingBox();
    return { x: box.x1 + 10, y: box.y1 + (this.drawing.narrow() ? 9 : 14) };
  }

  focus(id) {
    [...this.overlay.children].find((l) => l.dataset.key === id)?.focus();
  }
}

function legend() {
  return h("div", { class: "legend" }, [["ok", "no errors"], ["warn", "some fail"], ["bad", "5 % or more fail"], ["idle", "idle"]]
    .map(([kind, text]) => h("span", {}, h("i", { class: kind }), text)));
}
