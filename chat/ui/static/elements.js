// Making elements and changing them only where something changed. Text enters by textContent and
// appendData alone, so a model's words are never more than words. For all that fills its
// element by itself: tree.js and activity.js, the chats' files, keys.js.

const make = (tag, kind, text) => {
  const node = document.createElement(tag);
  if (kind) node.className = kind;
  if (text) node.textContent = text;
  return node;
};
const say = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};
const show = (node, yes) => {
  if (node.hidden === yes) node.hidden = !yes;
};

const PATHS = {
  chevron: "M6 4l4 4-4 4",
  done: "M3.5 8.5l3 3 6-7",
  failed: "M4.5 4.5l7 7M11.5 4.5l-7 7",
  left: "M4 8h8",
  preparing: "M8 2.5a5.5 5.5 0 1 1-5.5 5.5",
  running: "M8 2.5a5.5 5.5 0 1 1-5.5 5.5",
};
const icon = (name) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon ${name}`);
  svg.append(document.createElementNS(svg.namespaceURI, "path"));
  svg.firstChild.setAttribute("d", PATHS[name]);
  return svg;
};

const time = (seconds) => {
  if (seconds < 0.1) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
};

// -- text that grows ---------------------------------------------------------------------------

const BLOCK = 2000; // characters in one element, so that only the last is laid out anew

const grow = (box, text) => {
  const shown = box.shown ?? "";
  if (text === shown) return false;
  if (!shown || !text.startsWith(shown)) {
    box.replaceChildren();
    box.shown = "";
  }
  let rest = text.slice(box.shown.length);
  box.shown = text;
  while (rest) {
    let last = box.lastChild;
    if (!last || last.full) {
      last = box.appendChild(make("div"));
      last.append("");
    }
    const room = BLOCK - last.firstChild.length;
    const end = rest.indexOf("\n", Math.max(0, room));
    const piece = end < 0 ? rest : rest.slice(0, end);
    last.firstChild.appendData(piece);
    last.full = end >= 0;
    rest = end < 0 ? "" : rest.slice(end + 1);
  }
  return true;
};
