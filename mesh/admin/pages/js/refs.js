// Naming rules, wherever they are mentioned.

import { h } from "./dom.js";
import { place } from "./ui.js";

export const nameOf = (r) => `${r.kind} ${r.namespace ? `${r.namespace}/` : ""}${r.name}`;

// anchor is where the page of the rules has an object.
const anchor = (r) => `#/rules?object=${encodeURIComponent(nameOf(r))}`;

// ref names a rule, leads to it, and says where it stands.
export function ref(r) {
  return h("span", { class: "row" }, h("a", { href: anchor(r) }, nameOf(r)), place(r.file, r.line));
}

// shortHost is a host without the domain that all hosts share.
export const shortHost = (host) => (host ?? "").replace(/\.svc\.[^ ]*$/, "");
