// The texts to be seen whose contrast is below what WCAG 2.2 AA asks for: 4.5, or
// 3 where they are large.
(() => {
  const channels = (colour) => {
    const context = document.createElement("canvas").getContext("2d");
    context.fillStyle = colour;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = context.getImageData(0, 0, 1, 1).data;
    return { rgb: [r, g, b], a: a / 255 };
  };
  const light = (rgb) => rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const { rgb, a } = channels(getComputedStyle(e).backgroundColor);
      if (a > 0.5) return rgb;
    }
    return [255, 255, 255];
  };
  const faults = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    const text = texts.currentNode.data.trim();
    if (!text || !e.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || e.closest("script, noscript, style, option, .visually-hidden, :disabled")) continue;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const got = ratio(channels(style.color).rgb, ground(e));
    if (got < (large ? 3 : 4.5)) faults.add(`${got.toFixed(2)}: ${e.tagName} ${e.className} ${text.slice(0, 40)}`);
  }
  return [...faults];
})()
