// The rows of the list of chats. After elements.js in the `js_on_load` of a gr.HTML, before chats.js. A row
// is a link, a text field while it is renamed, or a line with “Undo” once it is deleted; it keeps its element
// and its place throughout. What is to be done it tells `act`, which chats.js has.

Object.assign(PATHS, { more: "M3.5 8h.01M8 8h.01M12.5 8h.01" });

const LONGEST_TITLE = 200;
const address = (path) => new URL(path, document.baseURI).href;

const LEAD = 16; // characters before the first of the words, so that it is within the line

// `text` with the words of `search` marked.
const highlight = (node, text, search) => {
  const words = search.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  node.replaceChildren();
  if (!words.length) return void node.append(text);
  const parts = text.split(new RegExp(`(${words.join("|")})`, "iu"));
  if (parts.length > 1 && parts[0].length > LEAD) parts[0] = `…${parts[0].slice(-LEAD).replace(/^\S*\s/, "")}`;
  parts.forEach((part, n) => part && node.append(n % 2 ? make("mark", "", part) : part));
};

const makeRow = (act) => {
  const node = make("li", "row");
  const link = make("a", "link");
  const title = link.appendChild(make("span", "name"));
  const found = link.appendChild(make("span", "found"));
  const dot = make("span", "live");
  dot.setAttribute("role", "img");
  dot.setAttribute("aria-label", "Being written");
  const button = make("button", "open-menu");
  button.type = "button";
  button.setAttribute("aria-haspopup", "menu");
  button.setAttribute("aria-expanded", "false");
  button.append(icon("more"));
  title.dir = found.dir = "auto";
  node.append(link, dot, button);

  // `state`: "", "renaming", "gone", or "returning" from there; a row that has one stays in the list.
  const row = (node.row = { node, link, button, chat: null, state: "" });

  const name = (chat) => chat.title.trim() || "Untitled";
  row.update = (chat, search, current) => {
    row.chat = chat;
    link.href = address(`?chat=${encodeURIComponent(chat.id)}`);
    say(title, name(chat));
    link.title = name(chat);
    button.setAttribute("aria-label", `More for ${name(chat)}`);
    const marked = `${search}\n${chat.found}`;
    if (found.marked !== marked) highlight(found, chat.found, search); // else what is selected in it would be lost
    found.marked = marked;
    show(found, chat.found !== "");
    show(dot, chat.running);
    row.mark(current);
  };
  row.mark = (current) => {
    if (row.chat.id === current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  };
  // One row of the list is in the order of Tab; the arrows go on from there.
  row.reach = (yes) => (link.tabIndex = button.tabIndex = yes ? 0 : -1);
  row.restore = (state = "") => {
    row.state = state;
    node.replaceChildren(link, dot, button);
  };

  row.rename = () => {
    const field = make("input", "rename");
    Object.assign(field, { type: "text", value: row.chat.title, maxLength: LONGEST_TITLE, dir: "auto" });
    field.setAttribute("aria-label", "Name of the chat");
    const end = (save) => {
      if (row.state !== "renaming") return;
      const text = field.value.replace(/\s+/g, " ").trim();
      const focused = document.activeElement === field;
      row.restore();
      if (focused) link.focus();
      if (save && text && text !== row.chat.title) act.rename(row, text);
    };
    field.addEventListener("keydown", (event) => {
      if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault(); // Esc would stop the answer
      end(event.key === "Enter");
    });
    // Another window, and a row that is put elsewhere, take the focus for a moment only.
    field.addEventListener("blur", () => document.hasFocus() && !act.drawing && end(true));
    row.state = "renaming";
    node.replaceChildren(field);
    field.focus();
    field.select();
  };

  row.remove = () => {
    const focused = node.contains(document.activeElement);
    const text = make("span", "gone");
    const quoted = make("bdi", "", name(row.chat));
    text.append("Deleted “", quoted, "”");
    const undo = make("button", "undo", "Undo");
    undo.type = "button";
    undo.setAttribute("aria-label", `Undo: ${name(row.chat)} is deleted`);
    undo.addEventListener("click", () => act.undo(row));
    row.state = "gone";
    node.replaceChildren(text, undo);
    if (focused) undo.focus();
  };
  return row;
};
