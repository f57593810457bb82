// Tables that can be sorted, and that narrow screens show as cards.

import { h, icon } from "./dom.js";

// table draws rows. A column has a label, what it shows of a row, and if it can be
// sorted by it, what of a row it sorts by. How it is sorted is kept in state, of
// which redraw is told. What a narrow screen shows has lost what makes it a table
// to screen readers, so that roles say it again.
export function table({ label, columns, rows, key, kind, state = {}, redraw }) {
  const sorted = sort(rows, columns, state);
  return h("div", { class: "scroll" }, h("table", { role: "table", class: "cards", "aria-label": label },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map((c) => title(c, state, redraw)))),
    h("tbody", { role: "rowgroup" }, sorted.map((row) =>
      h("tr", { role: "row", "data-key": key?.(row), class: kind?.(row) }, columns.map((c, i) => cell(c, row, i === 0)))))));
}

function title(column, state, redraw) {
  const by = state.by === column.label;
  const way = { role: "columnheader", scope: "col", class: column.right && "right", "aria-sort": by && (state.down ? "descending" : "ascending") };
  if (!column.by || !redraw) return h("th", way, column.label);
  const onclick = () => {
    state.down = by ? !state.down : Boolean(column.right); // numbers: the largest first
    state.by = column.label;
    redraw();
  };
  return h("th", way, h("button", { type: "button", class: "plain", onclick }, column.label, by && icon(state.down ? "down" : "up")));
}

function cell(column, row, first) {
  const content = column.show(row);
  return h(first ? "th" : "td", {
    role: first ? "rowheader" : "cell", scope: first && "row", class: column.right && "right", "data-label": column.label,
  }, content || h("span", { class: "quiet" }, "–"));
}

function sort(rows, columns, state) {
  const by = columns.find((c) => c.label === state.by)?.by;
  if (!by) return rows;
  const way = state.down ? -1 : 1;
  return [...rows].sort((a, b) => way * compare(by(a), by(b)));
}

function compare(a, b) {
  return typeof a === "number" ? a - b : String(a).localeCompare(String(b));
}
