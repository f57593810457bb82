// Numbers and times, as people read them.

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

// count is a whole number.
export const count = (n) => grouped.format(n ?? 0);

// short is a number with two or three digits that matter.
export function short(n) {
  if (!n) return "0";
  if (n < 0.1) return "<0.1";
  if (n < 10) return n.toFixed(1).replace(/\.0$/, "");
  if (n < 10_000) return grouped.format(n);
  return n < 1e6 ? `${grouped.format(n / 1e3)}k` : `${short(n / 1e6)}M`;
}

export const rate = (n) => `${short(n)}/s`;

// percent is a share of one.
export function percent(share) {
  const p = (share ?? 0) * 100;
  if (p > 0 && p < 0.1) return "<0.1 %";
  if (p > 99.9 && p < 100) return ">99.9 %";
  return `${p < 10 ? p.toFixed(1).replace(/\.0$/, "") : p.toFixed(0)} %`;
}

export function milliseconds(ms) {
  if (ms == null) return "–";
  if (ms >= 1000) return seconds(ms / 1000);
  return `${ms < 10 ? ms.toFixed(1).replace(/\.0$/, "") : ms.toFixed(0)} ms`;
}

// seconds is a length of time, in its two largest units.
export function seconds(s) {
  if (s < 60) return `${s < 10 ? s.toFixed(1).replace(/\.0$/, "") : s.toFixed(0)} s`;
  const units = [["y", 365.25 * 86400], ["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const first = units.findIndex(([, size]) => s >= size);
  const parts = [];
  for (const [name, size] of units.slice(first, first + 2)) {
    const n = Math.floor(s / size);
    if (n > 0) parts.push(`${n} ${name}`);
    s -= n * size;
  }
  return parts.join(" ");
}

export function bytes(n) {
  if (n < 1000) return `${short(n)} B`;
  return n < 1e6 ? `${short(n / 1e3)} kB` : `${short(n / 1e6)} MB`;
}

// skew is how far the process's clock is from the browser's, in milliseconds, if
// that is more than an answer may be old.
let skew = 0;
const old = 5000;

// clockIs is told what the process's clock says now.
export function clockIs(time) {
  const off = Date.parse(time) - Date.now();
  skew = Math.abs(off) > old ? off : 0;
}

// until is how long it is from now to a time; negative if it has passed.
export const until = (time) => (Date.parse(time) - Date.now() - skew) / 1000;

// ago says how long ago a time was, or how far ahead it is.
export function ago(time) {
  const s = until(time);
  if (Math.abs(s) < 1) return "now";
  return s > 0 ? `in ${seconds(s)}` : `${seconds(-s)} ago`;
}

// clock is a time of day, with milliseconds.
export function clock(time) {
  const t = new Date(time);
  return `${t.toLocaleTimeString("en", { hour12: false })}.${String(t.getMilliseconds()).padStart(3, "0")}`;
}

export const moment = (time) => new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });
