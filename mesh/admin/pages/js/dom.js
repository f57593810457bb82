// Building and updating the document. Text is always set as text: nothing that a
// caller, a rule or a peer wrote is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";
const svgTags = new Set(["svg", "use", "path", "rect", "line", "polyline"]);

// h makes an element. Properties that begin with "on" are handlers; style is an
// object; all others are attributes, left out if null or false.
export function h(tag, properties, ...children) {
  const e = svgTags.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) set(e, name, value);
  e.append(...children.flat(Infinity).filter((c) => c != null && c !== false));
  return e;
}

function set(e, name, value) {
  if (value == null || value === false) return;
  if (name.startsWith("on")) e[name] = value;
  else if (name === "style") for (const [p, v] of Object.entries(value)) e.style.setProperty(p, v);
  else e.setAttribute(name, value === true ? "" : value);
}

// icon is one of icons.svg; what it means stands beside it, or is its label.
export function icon(name, label) {
  const said = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return h("svg", { class: "icon", ...said }, h("use", { href: `icons.svg#${name}` }));
}

// show makes the children of an element those that are given, and keeps what is
// there already, so that focus, selection and scrolling stay. Elements with a
// data-key are told apart by it, all others by their place.
export function show(parent, ...children) {
  const wanted = children.flat(Infinity).filter((c) => c != null && c !== false);
  const keyed = new Map([...parent.children].filter((c) => c.dataset.key).map((c) => [c.dataset.key, c]));
  let at = parent.firstChild;
  for (const child of wanted) {
    const to = child instanceof Node ? child : document.createTextNode(child);
    const same = to.dataset?.key ? keyed.get(to.dataset.key) : at;
    if (same && alike(same, to)) {
      if (same === at) at = at.nextSibling;
      else parent.insertBefore(same, at);
      update(same, to);
    } else parent.insertBefore(to, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function alike(a, b) {
  return a.nodeName === b.nodeName && a.dataset?.key === b.dataset?.key;
}

function update(old, to) {
  if (old === to) return;
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== to.data) old.data = to.data;
    return;
  }
  updateAttributes(old, to);
  for (const name of ["onclick", "onchange", "oninput", "onkeydown", "onfocus"]) {
    if (old[name] !== to[name]) old[name] = to[name];
  }
  show(old, ...to.childNodes);
}

function updateAttributes(old, to) {
  for (const { name } of [...old.attributes]) {
    if (!to.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  for (const { name, value } of to.attributes) {
    if (name === "open") continue; // what the reader has opened or closed stays so
    if (name === "style") old.style.cssText = to.style.cssText; // the attribute itself is the policy's to refuse
    else if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

// say tells those who listen instead of looking.
export function say(text) {
  document.getElementById("say").textContent = text;
}
