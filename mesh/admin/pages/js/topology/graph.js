// The graph: labels over the drawing, which are the buttons that choose.

import { button } from "../ui.js";
import { h, icon, show } from "../dom.js";
import { canvas } from "./canvas.js";
import { edgeLabel, edgeSaid, nodeLabel, nodeSaid } from "./words.js";
import { rove } from "./rove.js";

const dense = 24, crowded = 70; // edges from which on labels say less
const legible = 0.55; // the zoom below which labels cannot be read

// graph makes one in an element. choose is told the id of what is chosen, or null.
export function graph(root, { choose, signal }) {
  const drawing = h("div", { class: "canvas", "aria-hidden": "true" });
  const overlay = h("div", { class: "overlay", role: "group", "aria-label": "Services and calls. The arrow keys move from one to the next, Enter shows more." });
  root.replaceChildren(drawing, overlay, legend(), zooms());
  const { cy, narrow, draw, recolour, fit } = canvas(drawing);
  let model, chosen = null, touched = false;

  function update(next) {
    model = next;
    if (draw(model)) touched = false;
    labels();
  }

  function labels() {
    const near = (e) => [e.key, e.source, e.target].includes(chosen);
    const isNear = (e) => [e.id(), e.source().id(), e.target().id()].includes(chosen);
    root.classList.toggle("dense", model.edges.length > dense);
    root.classList.toggle("crowded", model.edges.length > crowded);
    root.classList.toggle("narrow", narrow());
    cy.edges().forEach((e) => { e.toggleClass("chosen", e.id() === chosen).toggleClass("far", chosen !== null && !isNear(e)); });
    show(overlay,
      [...model.groups.keys()].map((id) => h("span", { class: "group", "data-key": `group ${id}` }, id.split("/").pop())),
      model.edges.map((e) => h("button", { ...press(e.key), class: `edge ${e.status} ${near(e) ? "near" : ""}`, "aria-label": edgeSaid(e, model.nodes) }, edgeLabel(e))),
      [...model.nodes.values()].map((n) => h("button", { ...press(n.id), class: `node ${n.status}`, "aria-label": nodeSaid(n) }, nodeLabel(n, model))));
    place();
    roving.refresh();
  }

  const press = (id) => ({ type: "button", "data-key": id, "aria-pressed": String(id === chosen), onclick: () => choose(id) });

  // place puts the labels where the drawing has what they belong to.
  function place() {
    for (const label of overlay.children) {
      const of = cy.getElementById(label.dataset.key);
      if (of.empty()) continue;
      const { x, y } = label.className === "group" ? corner(of) : of.isEdge() ? middle(of) : of.position();
      label.style.transform = `translate(${x}px, ${y}px) translate(${label.className === "group" ? "0" : "-50%"}, -50%)`;
    }
    follow();
  }

  // middle is that of an edge; narrow graphs have more room near its end.
  function middle(edge) {
    const mid = edge.midpoint(), end = edge.targetEndpoint(), part = narrow() ? 0.3 : 0;
    return { x: mid.x + part * (end.x - mid.x), y: mid.y + part * (end.y - mid.y) };
  }

  function corner(group) {
    const box = group.boundingBox();
    return { x: box.x1 + 10, y: box.y1 + (narrow() ? 9 : 14) };
  }

  function follow() {
    const { x, y } = cy.pan();
    overlay.style.transform = `translate(${x}px, ${y}px) scale(${cy.zoom()})`;
  }

  // reveal brings what has the focus into view.
  function reveal(id) {
    const of = cy.getElementById(id);
    if (of.empty()) return;
    const box = of.renderedBoundingBox();
    const out = box.x1 < 0 || box.y1 < 0 || box.x2 > cy.width() || box.y2 > cy.height();
    if (out) cy.center(of);
  }

  // approach goes near what is chosen, where all together is too small to read.
  function approach(id) {
    cy.resize(); // the details may have taken room
    if (cy.zoom() >= legible) return reveal(id);
    touched = true;
    cy.fit(cy.getElementById(id).closedNeighborhood(), 40);
    if (cy.zoom() > 1) cy.zoom({ level: 1, position: cy.getElementById(id).isEdge() ? cy.getElementById(id).midpoint() : cy.getElementById(id).position() });
    if (cy.zoom() < legible) cy.zoom(legible).center(cy.getElementById(id));
  }

  function zooms() {
    const by = (factor) => () => { touched = true; cy.zoom({ level: cy.zoom() * factor, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } }); };
    const tool = (symbol, label, onclick) => button(icon(symbol), onclick, { class: "square", "aria-label": label, title: label });
    return h("div", { class: "zoom" },
      tool("plus", "Zoom in", by(1.25)), tool("minus", "Zoom out", by(0.8)), tool("fit", "Show all", () => { touched = false; fit(); }));
  }

  const roving = rove(overlay, { at: (id) => { const of = cy.getElementById(id); return of.isEdge() ? of.midpoint() : of.position(); }, reveal });
  cy.on("pan zoom resize", follow);
  cy.on("position", "node", () => requestAnimationFrame(place));
  cy.on("tap", (e) => {
    if (e.target === cy) choose(null);
    else if (!e.target.isParent()) choose(e.target.id());
  });
  cy.on("grab", "node", () => { touched = true; });
  cy.on("dragpan scrollzoom pinchzoom", () => { touched = true; });
  const sized = new ResizeObserver(() => {
    cy.resize();
    if (model) update(model);
    if (!touched) fit();
  });
  sized.observe(drawing);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour, { signal });
  signal.addEventListener("abort", () => { sized.disconnect(); cy.destroy(); });

  return {
    update,
    // mark shows what is chosen.
    mark(id) {
      if (chosen === id) return;
      chosen = id;
      if (!model) return;
      labels();
      if (id && cy.getElementById(id).nonempty()) requestAnimationFrame(() => approach(id));
    },
    focus(id) { [...overlay.children].find((l) => l.dataset.key === id)?.focus(); },
  };
}

function legend() {
  return h("div", { class: "legend" }, [["ok", "no errors"], ["warn", "some fail"], ["bad", "5 % or more fail"], ["idle", "idle"]]
    .map(([kind, text]) => h("span", {}, h("i", { class: kind }), text)));
}
