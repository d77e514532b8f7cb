// A tree of JSON that unfolds: what is folded has no elements yet.

const SLICE = 100; // children shown at once

// A number that the browser would round is shown as it was written.
const exact = (key, value, context) =>
  typeof value === "number" && context?.source && !Number.isSafeInteger(value) && /^-?\d+$/.test(context.source)
    ? { exact: context.source }
    : value;

const leaf = (value) => {
  if (value?.exact) return make("span", "number", value.exact);
  const kind = value === null ? "null" : typeof value;
  return make("span", kind, kind === "string" ? JSON.stringify(value) : String(value));
};

const branch = (label, value, open) => {
  const named = (node) => {
    if (label !== null) node.append(make("span", "key", `${label}: `));
    return node;
  };
  if (typeof value !== "object" || value === null || value.exact) {
    const line = named(make("div", "leaf"));
    line.append(leaf(value));
    return line;
  }
  const list = Array.isArray(value);
  const keys = list ? value.length : Object.keys(value).length;
  const node = make("details", "branch");
  const summary = named(node.appendChild(make("summary")));
  summary.prepend(icon("chevron"));
  summary.append(make("span", "size", list ? `[${keys}]` : `{${keys}}`));
  const fill = () => {
    const entries = Object.entries(value);
    const more = make("button", "more");
    more.type = "button";
    let from = 0;
    more.onclick = () => {
      for (const [key, child] of entries.slice(from, from + SLICE)) more.before(branch(key, child, false));
      from += SLICE;
      show(more, from < entries.length);
      more.textContent = `${entries.length - from} more`;
    };
    node.append(more);
    more.onclick();
  };
  node.addEventListener("toggle", () => node.open && node.childElementCount === 1 && fill());
  if (open) {
    fill();
    node.open = true;
  }
  return node;
};
