// The frame: which page is shown, where to go from it, and which process this is.
// What is here runs as it stands, in browsers of 2024 and later: nothing is built.

import { h, icon, say, show } from "./dom.js";
import { identify } from "./self.js";
import { failed } from "./ui.js";

// pages, in the order of the navigation. Each is a module with a title and a
// function start(root, parameters, signal) that draws it until signal aborts.
const pages = [
  ["topology", "Topology"],
  ["destinations", "Destinations"],
  ["rules", "Rules"],
  ["certificates", "Certificates"],
  ["requests", "In flight"],
  ["explain", "Explain"],
  ["tap", "Tap"],
  ["config", "Configuration"],
];

const main = document.getElementById("main");
const nav = document.getElementById("nav");
const menu = document.getElementById("menu");
let current = new AbortController();

// where is the page that the address names, and its parameters.
function where() {
  const [name, query] = location.hash.replace(/^#\/?/, "").split("?");
  const page = pages.find(([id]) => id === name) ?? pages[0];
  return { page, parameters: new URLSearchParams(query) };
}

async function open() {
  const { page: [id, title], parameters } = where();
  current.abort();
  current = new AbortController();
  const { signal } = current;
  document.title = `${title} · inmesh`;
  links(id);
  const root = h("div", { class: `page ${id}`, "data-page": id });
  main.replaceChildren(root);
  try {
    const { start } = await import(`./views/${id}.js`);
    if (!signal.aborted) await start(root, parameters, signal);
  } catch (err) {
    if (!signal.aborted) show(root, failed(err));
  }
}

function links(current) {
  show(nav, pages.map(([id, title]) =>
    h("a", { href: `#/${id}`, "data-key": id, "aria-current": id === current && "page" }, icon(id), title)));
}

function toggleMenu(open) {
  menu.setAttribute("aria-expanded", String(open));
  document.body.classList.toggle("open", open);
}

// moved opens the page that the reader went to, and puts the focus there.
function moved() {
  toggleMenu(false);
  open();
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
  say(document.title);
}

menu.onclick = () => toggleMenu(menu.getAttribute("aria-expanded") !== "true");
document.getElementById("skip").onclick = (e) => {
  e.preventDefault(); // the address names the page
  main.focus();
};
addEventListener("hashchange", moved);
addEventListener("keydown", (e) => e.key === "Escape" && toggleMenu(false));
identify(document.getElementById("self"));
open();
