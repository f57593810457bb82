// One stop of the Tab key for all labels of a graph; the arrow keys go on from
// there, to what lies nearest in their direction.

const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// rove makes the buttons in an element reachable so. at is where one lies, reveal
// brings it into view.
export function rove(root, { at, reveal }) {
  const all = () => [...root.querySelectorAll("button")];
  let stop; // the key of the one that Tab leads to

  function refresh() {
    const buttons = all();
    if (!buttons.some((b) => b.dataset.key === stop)) stop = buttons.find((b) => b.classList.contains("node"))?.dataset.key;
    for (const b of buttons) b.tabIndex = b.dataset.key === stop ? 0 : -1;
  }

  root.addEventListener("keydown", (e) => {
    const from = e.target.closest("button");
    const way = ways[e.key];
    const buttons = all().filter((b) => getComputedStyle(b).display !== "none");
    const to = way ? nearest(buttons, from, way) : e.key === "Home" ? buttons[0] : e.key === "End" && buttons.at(-1);
    if (!to) return;
    e.preventDefault();
    to.focus({ preventScroll: true });
  });

  root.addEventListener("focusin", (e) => {
    stop = e.target.dataset.key;
    refresh();
    reveal(stop);
  });

  // nearest is what lies in a direction, less far to its side than along it.
  function nearest(buttons, from, [dx, dy]) {
    const here = at(from.dataset.key);
    let best, least = Infinity;
    for (const b of buttons) {
      if (b === from) continue;
      const there = at(b.dataset.key), x = there.x - here.x, y = there.y - here.y;
      const along = x * dx + y * dy, aside = Math.abs(x * dy) + Math.abs(y * dx);
      if (along > 1 && along + 2.5 * aside < least) [best, least] = [b, along + 2.5 * aside];
    }
    return best;
  }

  return { refresh };
}
