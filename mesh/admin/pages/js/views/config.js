// All that this process goes by, to read, to copy or to keep.

import { button, failed, head, loading } from "../ui.js";
import { h, icon, say, show } from "../dom.js";
import { get } from "../api.js";
import { moment } from "../format.js";
import { yaml } from "../yaml.js";

export async function start(root, parameters, signal) {
  const body = h("div", { class: "stack" }, loading());
  root.append(head("Configuration", "All that this process goes by, with secrets masked.",
    h("a", { class: "button", href: "api/config", download: "inmesh-config.json" }, "Save as JSON")), body);
  try {
    const { at, ...dump } = await get("config", signal);
    show(body, h("p", { class: "quiet" }, `As of ${moment(at)}`), h("section", { class: "card flush" }, Object.entries(dump).map(([name, value]) => part(name, value))));
  } catch (err) {
    if (!signal.aborted) show(body, failed(err, false));
  }
}

function part(name, value) {
  const text = yaml(value);
  return h("details", { class: "fold", "data-key": name, open: text.length < 600 },
    h("summary", {}, icon("down"), h("strong", {}, name), h("span", { class: "quiet small" }, size(value))),
    h("div", { class: "copyable" },
      h("pre", { class: "code", tabindex: "0", "aria-label": `${name} as YAML` }, text),
      button([icon("copy"), "Copy"], (e) => copy(text, e.currentTarget))));
}

const size = (value) => (Array.isArray(value) ? `${value.length} entries` : value && typeof value === "object" ? `${Object.keys(value).length} fields` : "");

// copy works where the page is served from this machine or over TLS, as browsers
// have it; elsewhere it says so.
async function copy(text, from) {
  try {
    await navigator.clipboard.writeText(text);
    say("Copied");
    from.lastChild.data = "Copied";
  } catch {
    from.lastChild.data = "Not allowed here";
  }
}
