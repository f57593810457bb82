// Which process this is, in the frame of every page.

import { h, icon, show } from "./dom.js";
import { get, poll } from "./api.js";
import { ago } from "./format.js";

// identify keeps the part of the frame that names the process true.
export async function identify(root) {
  const { signal } = new AbortController(); // for as long as the document lives
  let version;
  await poll("rules", {
    signal, every: 5000,
    async got(rules) {
      version ??= await get("version", signal).catch(() => undefined);
      show(root, self(version?.instance ?? {}, rules));
    },
    failed: () => show(root, h("span", { class: "badge bad" }, icon("bad"), "no answer")),
  });
}

function self(instance, rules) {
  const wrong = rules.error;
  return [
    h("strong", {}, instance.service || "unnamed process", " ", instance.labels?.version),
    h("dl", {},
      h("dt", {}, "namespace"), h("dd", {}, instance.namespace || "–"),
      h("dt", {}, "rules"), h("dd", { class: "mono", title: rules.since && `in force since ${ago(rules.since)}` }, rules.objects?.length ? rules.version.slice(0, 8) : "none")),
    wrong && h("a", { href: "#/rules", class: "badge bad" }, icon("bad"), "newer rules rejected"),
  ];
}
