// Plain data as YAML, the way rules are written.

// yaml is data as text. Strings that YAML would read as something else are quoted.
export function yaml(value, indent = "") {
  if (Array.isArray(value)) return value.length ? value.map((v) => `${indent}- ${item(v, indent)}`).join("\n") : `${indent}[]`;
  if (value && typeof value === "object") {
    const pairs = Object.entries(value);
    return pairs.length ? pairs.map(([k, v]) => `${indent}${scalar(k)}:${below(v, indent)}`).join("\n") : `${indent}{}`;
  }
  return indent + scalar(value);
}

const plain = (v) => !v || typeof v !== "object" || Object.keys(v).length === 0;

const item = (v, indent) => (plain(v) ? yaml(v) : yaml(v, `${indent}  `).slice(indent.length + 2));

const below = (v, indent) => (plain(v) ? ` ${yaml(v)}` : `\n${yaml(v, `${indent}  `)}`);

function scalar(v) {
  const safe = typeof v !== "string" || (/^[A-Za-z_/.][\w ./@-]*$/.test(v) && !/^(true|false|null|yes|no|on|off|~)$|\s$/i.test(v));
  return safe ? String(v) : JSON.stringify(v);
}
