// Which requests a tap is told of.

import { field } from "./ui.js";
import { h } from "./dom.js";

const option = (value, text, chosen) => h("option", { value, selected: value === chosen }, text);

// filters is a form, and the query that it stands for. changed is told when the
// reader is done with a field.
export function filters(parameters, changed) {
  const text = (name, placeholder) => {
    const input = h("input", { name, placeholder, autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
    input.value = parameters.get(name) ?? "";
    return input;
  };
  const select = (name, ...options) => h("select", { name }, options.map(([value, words]) => option(value, words, parameters.get(name) ?? "")));
  const form = h("form", { class: "card form question", "aria-label": "Filter", onchange: changed },
    field("Direction", select("direction", ["", "all"], ["outbound", "sent"], ["inbound", "served"]), "c2"),
    field("Outcome", select("outcome", ["", "any"], ["failed", "failed"], ["400", "400 and above"], ["500", "500 and above"]), "c2"),
    field("Method", text("method", "GET"), "c2"),
    field("Service or host", text("service", "reviews"), "c3"),
    field("Path begins with", text("path", "/reviews"), "c3"));
  form.onsubmit = (e) => { e.preventDefault(); changed(); };
  return { form, query: () => queryOf(new FormData(form)) };
}

function queryOf(data) {
  const query = new URLSearchParams();
  for (const name of ["direction", "method", "service", "path"]) {
    const value = data.get(name).trim();
    if (value) query.set(name, name === "method" ? value.toUpperCase() : value);
  }
  const outcome = data.get("outcome");
  if (outcome === "failed") query.set("failed", "true");
  else if (outcome) query.set("status", outcome);
  return query;
}
