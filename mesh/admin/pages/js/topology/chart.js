// Two small charts, each with its meaning in words for those who do not see it.

import { h } from "../dom.js";
import { milliseconds, rate } from "../format.js";

const width = 100, height = 32;

// spark is how rates went, the newest to the right.
export function spark(samples) {
  if (samples.length < 2) return null;
  const most = Math.max(...samples, 0.001);
  const points = samples.map((s, i) => [i / (samples.length - 1) * width, height - 1 - s / most * (height - 4)].map((n) => n.toFixed(2)).join(","));
  const label = `Requests, from ${rate(samples[0])} to ${rate(samples.at(-1))}, at most ${rate(most)}`;
  return h("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label },
    h("path", { d: `M0,${height} L${points.join(" L")} L${width},${height} Z` }), h("polyline", { points: points.join(" ") }));
}

// histogram is how long calls took: one bar for each bucket.
export function histogram(buckets) {
  if (!buckets?.length) return h("p", { class: "quiet small" }, "No calls in this span.");
  const most = Math.max(...buckets.map((b) => b.requestsPerSecond));
  const step = width / buckets.length;
  const label = `Latencies from ${milliseconds(buckets[0].upToMilliseconds)} to ${milliseconds(buckets.at(-1).upToMilliseconds)}`;
  return [
    h("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": label }, buckets.map((b, i) => {
      const tall = Math.max(b.requestsPerSecond / most * height, 0.6);
      return h("rect", { x: (i * step).toFixed(2), y: (height - tall).toFixed(2), width: (step * 0.84).toFixed(2), height: tall.toFixed(2) });
    })),
    h("div", { class: "axis", "aria-hidden": "true" }, h("span", {}, milliseconds(buckets[0].upToMilliseconds)), h("span", {}, milliseconds(buckets.at(-1).upToMilliseconds))),
  ];
}
