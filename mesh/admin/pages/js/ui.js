// The few parts that all pages are put together from.

import { h, icon } from "./dom.js";

// head is the head of a page, with its tools to the right.
export function head(title, text, ...tools) {
  return h("div", { class: "head" },
    h("div", {}, h("h1", {}, title), h("p", {}, text)),
    h("div", { class: "tools" }, tools));
}

export const badge = (kind, text, symbol) => h("span", { class: `badge ${kind}` }, symbol && icon(symbol), text);

export const tag = (text) => h("span", { class: "tag" }, text);

// note is a line that matters: bad, warn or nothing.
export function note(kind, ...text) {
  return h("div", { class: `note ${kind}`, role: kind === "bad" && "alert" }, icon(kind || "explain"), h("div", {}, text));
}

// failed says that an answer did not come; pages that show what changes ask again.
export function failed(err, again = true) {
  return note("bad", h("strong", {}, "No answer. "), err.message, again && " The page asks again by itself.");
}

export function empty(symbol, title, ...text) {
  return h("div", { class: "empty" }, icon(symbol), h("strong", {}, title), h("p", {}, text));
}

export const loading = () => h("div", { class: "empty", "aria-busy": "true" }, h("p", {}, "Asking…"));

export function card(title, aside, ...content) {
  return h("section", { class: "card" }, title && h("header", {}, h("h2", {}, title), aside), content);
}

// facts is a list of names and what stands for them; what is not known is left out.
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value != null && value !== "" && value !== false);
  return h("dl", { class: "facts" }, known.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

// tiles are a few numbers at a glance: name, value, and bad or warn.
export function tiles(list) {
  return h("dl", { class: "tiles" }, list.map(([name, value, kind]) =>
    h("div", { class: `tile ${kind ?? ""}` }, h("dt", {}, name), h("dd", {}, value))));
}

export function bar(share, kind, label) {
  const width = `${Math.min(Math.max(share, 0), 1) * 100}%`;
  return h("span", { class: `bar ${kind ?? ""}`, role: label && "img", "aria-label": label }, h("i", { style: { width } }));
}

// choice is one of a few: name, then pairs of value and content.
export function choice(name, label, options, chosen, changed) {
  return h("fieldset", { class: "switch", "aria-label": label }, options.map(([value, ...content]) =>
    h("label", {},
      h("input", { type: "radio", name, value, checked: value === chosen, onchange: () => changed(value) }),
      h("span", {}, content))));
}

export const field = (label, control, wide) =>
  h("label", { class: wide }, h("span", {}, label), control);

export const button = (text, onclick, properties) => h("button", { type: "button", onclick, ...properties }, text);

// path is a text that may be broken after its separators.
export const path = (text) => h("code", { class: "break" }, text.split(/(?<=[/.])/).flatMap((part) => [part, h("wbr")]));

export const place = (file, line) => file && path(line ? `${file}:${line}` : file);

// lock says how a connection is protected.
export const lock = (secure) =>
  secure ? badge("ok", "mTLS", "lock") : badge("", "plaintext", "unlock");
