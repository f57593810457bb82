// The drawing under the labels: cytoscape places nodes and draws edges.

import cytoscape from "../../vendor/cytoscape/cytoscape.esm.min.mjs";
import dagre from "../../vendor/cytoscape-dagre/cytoscape-dagre.min.mjs";

cytoscape.use(dagre);

// sizes of a node, in pixels at a zoom of one: as in the style sheet.
const sizes = { wide: { width: 140, height: 54 }, narrow: { width: 92, height: 46 } };
const across = 560; // the width, from which calls go from left to right

// colour is what a variable of the style sheet comes to, in the scheme of now.
function colour(name) {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(--${name})`;
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function style(narrow) {
  const status = { ok: "ok", warn: "warn", bad: "bad", idle: "strong-line" };
  return [
    { selector: "node[width]", style: { width: "data(width)", height: "data(height)", shape: "round-rectangle", "background-opacity": 0, "border-width": 0, "overlay-opacity": 0 } },
    { selector: ":parent", style: { shape: "round-rectangle", "overlay-opacity": 0, "background-color": colour("sunken"), "background-opacity": 1, "border-width": 1, "border-color": colour("line"), padding: narrow ? 16 : 26, "corner-radius": 12 } },
    { selector: "edge", style: { width: "data(width)", "curve-style": "bezier", "control-point-step-size": 46, "target-arrow-shape": "triangle", "arrow-scale": 0.9, "overlay-opacity": 0, "line-opacity": 0.85 } },
    ...Object.entries(status).map(([name, of]) => ({
      selector: `edge[status="${name}"]`, style: { "line-color": colour(of), "target-arrow-color": colour(of) },
    })),
    { selector: 'edge[status="idle"]', style: { "line-style": "dashed" } },
    { selector: "edge.far", style: { "line-opacity": 0.35 } },
    { selector: "edge.chosen", style: { "line-color": colour("accent"), "target-arrow-color": colour("accent") } },
  ];
}

// canvas makes the drawing in an element.
export function canvas(container) {
  const cy = cytoscape({
    container, style: style(container.clientWidth < across), minZoom: 0.03, maxZoom: 2.5, autounselectify: true, boxSelectionEnabled: false,
  });
  const narrow = () => container.clientWidth < across;
  const recolour = () => cy.style(style(narrow()));
  let was = narrow();
  return {
    cy, narrow, recolour, fit: () => fit(cy),
    // draw brings the drawing up to date. What has new nodes or edges, or another
    // shape, is laid out anew; it says so.
    draw(model) {
      const turned = was !== narrow();
      if (turned) recolour();
      was = narrow();
      const changed = update(cy, model, was) || turned;
      if (changed) arrange(cy, was);
      return changed;
    },
  };
}

// groupKey tells the groups from nodes, of which none is called so.
export const groupKey = (service) => `group\n${service}`;

// update makes the elements those of the model, and says whether others came or went.
function update(cy, model, narrow) {
  const wanted = new Map(elements(model, narrow).map((e) => [e.data.id, e]));
  let changed = false;
  cy.batch(() => {
    cy.elements().filter((e) => !wanted.has(e.id())).remove().forEach(() => { changed = true; });
    for (const [id, element] of wanted) {
      const there = cy.getElementById(id);
      if (there.empty()) { cy.add(element); changed = true; } else there.data(element.data);
    }
  });
  return changed;
}

function elements(model, narrow) {
  const size = narrow ? sizes.narrow : sizes.wide;
  const groups = [...model.groups.keys()].map((id) => ({ data: { id: groupKey(id) } }));
  const nodes = [...model.nodes.values()].map((n) => ({
    data: { id: n.id, parent: model.groups.has(n.service) ? groupKey(n.service) : undefined, ...size },
  }));
  const edges = model.edges.map((e) => ({
    data: { id: e.key, source: e.source, target: e.target, status: e.status, width: 1.5 + Math.min(Math.log10(1 + e.requestsPerSecond), 3) * 1.1 },
  }));
  return [...groups, ...nodes, ...edges];
}

function arrange(cy, narrow) {
  cy.layout({
    name: "dagre", rankDir: narrow ? "TB" : "LR", nodeSep: narrow ? 10 : 42, rankSep: narrow ? 68 : 94, edgeSep: 24,
    ranker: "network-simplex", fit: false, animate: false, sort: (a, b) => b.id().localeCompare(a.id()),
  }).run();
  fit(cy);
}

// fit shows all, but nothing larger than it is.
function fit(cy) {
  cy.fit(undefined, cy.width() < across ? 10 : 20);
  if (cy.zoom() > 1.15) { cy.zoom(1.15); cy.center(); }
}
