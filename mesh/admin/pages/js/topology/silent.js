// The instances that did not answer, and why.

import { h } from "../dom.js";
import { note } from "../ui.js";

// silent names them; null if all did.
export function silent(answer) {
  const missing = answer?.instances?.filter((i) => i.error) ?? [];
  if (!missing.length) return null;
  return note("warn", h("details", {},
    h("summary", {}, `${missing.length} of ${answer.instances.length} instances did not answer; what they report is missing.`),
    h("ul", {}, missing.map((i) => h("li", { class: "small break" }, `${i.service} ${i.endpoint}: ${i.error}`)))));
}
