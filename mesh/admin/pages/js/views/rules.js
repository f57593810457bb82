// The rules in force, and what is wrong with them or with newer ones.

import { ago, count, moment } from "../format.js";
import { badge, card, empty, failed, head, loading, note, path, place, tag, tiles } from "../ui.js";
import { h, icon, show } from "../dom.js";
import { nameOf } from "../refs.js";
import { poll } from "../api.js";
import { table } from "../table.js";
import { yaml } from "../yaml.js";

export async function start(root, parameters, signal) {
  const filter = h("input", { type: "search", placeholder: "Filter by kind, name, content", "aria-label": "Filter" });
  const body = h("div", { class: "stack" }, loading());
  const wanted = parameters.get("object");
  let answer;
  filter.oninput = () => answer && show(body, draw(answer, filter.value, wanted));
  root.append(head("Rules", "What this process obeys, from which file and line, and what is wrong.", filter), body);
  await poll("rules", {
    signal, every: 1000,
    got(next) {
      const first = !answer;
      answer = next;
      show(body, draw(answer, filter.value, wanted));
      if (first && wanted) reveal(body, wanted);
    },
    failed: (err) => show(body, failed(err)),
  });
}

function reveal(body, wanted) {
  const object = [...body.querySelectorAll("details")].find((d) => d.dataset.key === wanted);
  if (!object) return;
  object.open = true;
  object.scrollIntoView({ block: "start" });
  object.querySelector("summary").focus({ preventScroll: true });
}

function draw(rules, filter, wanted) {
  const objects = rules.objects ?? [];
  const text = filter.trim().toLowerCase();
  const shown = objects.filter((o) => JSON.stringify(o).toLowerCase().includes(text));
  return [
    h("div", { "data-key": "tiles" }, glance(rules)),
    rules.error && rejected(rules),
    rules.warnings?.length > 0 && faults("Warnings", rules.warnings, badge("warn", count(rules.warnings.length))),
    objects.length === 0 ? card(null, null, empty("rules", "No rules", "Requests go where their URL says."))
      : h("section", { class: "card flush", "data-key": "objects" },
        h("header", {}, h("h2", {}, "In force"), h("span", { class: "quiet small" }, shown.length === objects.length ? `${objects.length} objects` : `${shown.length} of ${objects.length} objects`)),
        shown.map((o) => object(o, nameOf(o) === wanted))),
  ];
}

function glance(r) {
  return tiles([
    ["version", h("span", { class: "mono", title: r.version }, (r.version || "none").slice(0, 8))],
    ["in force since", r.since ? h("span", { title: moment(r.since) }, ago(r.since)) : "–"],
    ["objects", count(r.objects?.length)],
    ["warnings", count(r.warnings?.length), r.warnings?.length > 0 && "warn"],
    ["times rejected", count(r.rejected), r.error && "bad"],
  ]);
}

function rejected(r) {
  return h("div", { class: "stack", "data-key": "rejected" },
    note("bad", h("strong", {}, "Newer rules were rejected. "), "Those before them stay in force until what is below is put right."),
    r.faults?.length ? faults("Why", r.faults, badge("bad", count(r.faults.length))) : h("pre", { class: "card code" }, r.error));
}

function faults(title, list, aside) {
  return h("section", { class: "card flush", "data-key": title },
    h("header", {}, h("h2", {}, title), aside),
    table({
      label: title, rows: list, kind: (f) => (f.severity === "warning" ? "warn" : "bad"),
      columns: [
        { label: "Where", show: (f) => place(f.file, f.line) },
        { label: "Rule", show: (f) => (f.name ? nameOf(f) : f.kind) || null },
        { label: "Field", show: (f) => f.field && path(f.field) },
        { label: "What", show: (f) => h("span", { class: "break" }, f.message) },
      ],
    }));
}

function object(o, open) {
  return h("details", { class: "fold", "data-key": nameOf(o), open },
    h("summary", {}, icon("down"),
      h("span", { class: "kind quiet" }, o.kind), h("strong", { class: "break" }, o.namespace ? `${o.namespace}/` : "", o.name),
      Object.entries(o.labels ?? {}).map(([k, v]) => tag(`${k}=${v}`)),
      h("span", { class: "place small quiet" }, place(o.file, o.line))),
    h("pre", { class: "code", tabindex: "0", "aria-label": `${nameOf(o)} as YAML` }, yaml({
      apiVersion: o.apiVersion, kind: o.kind, metadata: { name: o.name, namespace: o.namespace, ...extra(o) }, spec: o.spec,
    })));
}

const extra = ({ labels, annotations }) => ({ ...(labels && { labels }), ...(annotations && { annotations }) });
