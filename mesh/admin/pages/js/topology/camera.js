// Which part of the drawing is to be seen, and the labels with it. Once the reader
// has moved it, it moves by itself no more, until new services come.

import { button } from "../ui.js";
import { h, icon } from "../dom.js";

const legible = 0.55; // the zoom below which labels cannot be read

export class Camera {
  constructor(cy, overlay, fit) {
    Object.assign(this, { cy, overlay, fit, touched: false });
    cy.on("pan zoom resize", () => this.follow());
    cy.on("grab", "node", () => { this.touched = true; });
    cy.on("dragpan scrollzoom pinchzoom", () => { this.touched = true; });
  }

  // follow moves the labels with the drawing.
  follow() {
    const { x, y } = this.cy.pan();
    this.overlay.style.transform = `translate(${x}px, ${y}px) scale(${this.cy.zoom()})`;
  }

  // all shows everything.
  all() {
    this.touched = false;
    this.fit();
  }

  // resized shows everything in the new size, unless the reader has chosen a part.
  resized() {
    this.cy.resize();
    if (!this.touched) this.fit();
    this.follow();
  }

  // reveal brings what has the focus into view.
  reveal(id) {
    const of = this.cy.getElementById(id);
    if (of.empty()) return;
    const box = of.renderedBoundingBox();
    const out = box.x1 < 0 || box.y1 < 0 || box.x2 > this.cy.width() || box.y2 > this.cy.height();
    if (out) this.cy.center(of);
  }

  // approach goes near what is chosen, where all together is too small to read.
  approach(id) {
    const { cy } = this, of = cy.getElementById(id);
    cy.resize(); // the details may have taken room
    if (of.empty() || cy.zoom() >= legible) return this.reveal(id);
    this.touched = true;
    cy.fit(of.closedNeighborhood(), 40);
    if (cy.zoom() > 1) cy.zoom({ level: 1, position: placeOf(of) });
    if (cy.zoom() < legible) cy.zoom(legible).center(of);
  }

  zoom(factor) {
    this.touched = true;
    this.cy.zoom({ level: this.cy.zoom() * factor, renderedPosition: { x: this.cy.width() / 2, y: this.cy.height() / 2 } });
  }

  // tools are the buttons for it.
  tools() {
    const tool = (symbol, label, onclick) => button(icon(symbol), onclick, { class: "square", "aria-label": label, title: label });
    return h("div", { class: "zoom" },
      tool("plus", "Zoom in", () => this.zoom(1.25)), tool("minus", "Zoom out", () => this.zoom(0.8)), tool("fit", "Show all", () => this.all()));
  }
}

// placeOf is where a node or the middle of an edge lies.
export const placeOf = (of) => (of.isEdge() ? of.midpoint() : of.position());
