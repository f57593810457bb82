// What nodes and edges are called and say, in the graph and to screen readers.

import { h } from "../dom.js";
import { bytes, count, milliseconds, percent, rate } from "../format.js";
import { titleOf } from "./model.js";

const failures = (x) => (x.errorRate > 0 ? `${percent(x.errorRate)} fail` : "");

export function nodeLabel(n, { groups, namespaces }) {
  const grouped = groups.has(n.service);
  const space = namespaces > 1 && n.namespace;
  return [
    h("span", { class: "name" }, grouped ? h("span", {}, n.version || "no version") : [
      h("span", {}, titleOf(n)), n.version && h("span", { class: "tag" }, n.version)]),
    h("span", { class: "sub" },
      h("span", {}, rate(n.requestsPerSecond)),
      n.in.length > 0 && n.errorRate > 0 ? h("span", { class: "failing" }, failures(n)) : space && !grouped && h("span", {}, space)),
  ];
}

export function edgeLabel(e) {
  const symbol = e.secure ? "lock" : "unlock";
  const idle = e.status === "idle";
  return [
    h("span", { class: "first" },
      h("svg", { class: `icon ${symbol}`, "aria-hidden": "true" }, h("use", { href: `icons.svg#${symbol}` })),
      idle ? "idle" : raw(e) ? standing(e) : e.share !== undefined ? percent(e.share) : rate(e.requestsPerSecond)),
    !idle && h("span", { class: "sub" }, e.errorRate > 0 ? failures(e) : raw(e) ? h("span", {}, throughput(e)) : [
      e.share !== undefined && h("span", {}, rate(e.requestsPerSecond)), h("span", {}, milliseconds(e.p90Milliseconds))]),
  ];
}

// Of raw connections there are no requests to be seen.
const raw = (e) => e.protocol === "tcp";
const standing = (e) => `${count(e.connections)} open`;
const throughput = (e) => `${bytes(e.bytesSentPerSecond + e.bytesReceivedPerSecond)}/s`;

export function nodeName(n) {
  return [titleOf(n), n.version].filter(Boolean).join(" ");
}

export function nodeSaid(n) {
  const does = n.in.length ? "answers" : "sends";
  return [nodeName(n), n.namespace && `namespace ${n.namespace}`, `${does} ${rate(n.requestsPerSecond)}`, failures(n)].filter(Boolean).join(", ");
}

export function edgeSaid(e, nodes) {
  const share = e.share !== undefined && `${percent(e.share)} of the calls`;
  const passes = raw(e) ? [`connections: ${standing(e)}`, throughput(e), failures(e)]
    : [share, rate(e.requestsPerSecond), failures(e), `90 percent within ${milliseconds(e.p90Milliseconds)}`];
  return [`${nodeName(nodes.get(e.source))} to ${nodeName(nodes.get(e.target))}`, ...passes, e.secure ? "mutual TLS" : "plaintext"].filter(Boolean).join(", ");
}
