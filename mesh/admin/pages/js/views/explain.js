// What would become of a request, without sending it.

import { button, empty, failed, field, head } from "../ui.js";
import { h, icon, say, show } from "../dom.js";
import { get } from "../api.js";
import { verdict } from "../verdict.js";

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

export async function start(root, parameters, signal) {
  const form = ask(parameters);
  const result = h("div", { class: "stack result", role: "region", "aria-label": "Explanation" });
  root.append(head("Explain", "Which rule would match a request, why each other would not, and where it would go. Nothing is sent."), form, result);
  if (!parameters.get("host")) {
    show(result, empty("explain", "Ask about a request", "Enter a host, as your code would call it: reviews, or reviews.default."));
    return;
  }
  await answer(result, parameters, signal);
}

async function answer(result, parameters, signal) {
  show(result, h("p", { class: "quiet", "aria-busy": "true" }, "Asking…"));
  try {
    const explanation = await get(`explain?${parameters}`, signal);
    show(result, verdict(explanation));
    say(`Explained: ${explanation.action || explanation.refused || "no route"}`);
  } catch (err) {
    if (!signal.aborted) show(result, failed(err, false));
  }
}

// ask is the form; the question becomes the address, so that it can be kept.
function ask(parameters) {
  const method = h("select", { name: "method" }, methods.map((m) => h("option", { selected: m === (parameters.get("method") ?? "GET") }, m)));
  const host = h("input", { name: "host", required: true, placeholder: "reviews", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const path = h("input", { name: "path", placeholder: "/reviews/7?lang=en", autocomplete: "off", autocapitalize: "off", spellcheck: "false" });
  const headers = h("textarea", { name: "headers", rows: 2, placeholder: "end-user: jason", spellcheck: "false" });
  host.value = parameters.get("host") ?? "";
  path.value = parameters.get("path") ?? "";
  headers.value = parameters.getAll("header").join("\n");
  const form = h("form", { class: "card form question" },
    field("Method", method, "c2"), field("Host", host, "c4"), field("Path", path, "c6"),
    field("Headers, one on a line", headers, "c10"),
    button([icon("explain"), "Explain"], null, { type: "submit", class: "primary c2" }));
  form.onsubmit = (e) => {
    e.preventDefault();
    const next = new URLSearchParams({ method: method.value, host: host.value.trim() });
    if (path.value.trim()) next.set("path", path.value.trim().replace(/^(?!\/)/, "/"));
    for (const line of headers.value.split("\n").filter((l) => l.trim())) next.append("header", line.trim());
    const to = `#/explain?${next}`;
    if (location.hash === to) dispatchEvent(new HashChangeEvent("hashchange"));
    else location.hash = to;
  };
  return form;
}
