// Finding a service in a graph that is too large to look through.

import { h } from "../dom.js";
import { nodeName } from "./words.js";

const few = 12; // services that are found by looking

// find is a field that chooses the service whose name is entered; null if there are
// few.
export function find(model, choose) {
  if (!model || model.nodes.size <= few) return null;
  const nodes = [...model.nodes.values()];
  const onchange = (e) => {
    const text = e.target.value.trim().toLowerCase();
    const found = nodes.find((n) => nodeName(n).toLowerCase() === text) ?? nodes.find((n) => n.id.toLowerCase().includes(text));
    if (text && found) choose(found.id);
  };
  return h("div", { class: "find", "data-key": "find" },
    h("input", { type: "search", list: "services", placeholder: "Find a service", "aria-label": "Find a service", onchange }),
    h("datalist", { id: "services" }, nodes.map((n) => h("option", { value: nodeName(n), "data-key": n.id }))));
}
