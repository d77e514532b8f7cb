// The rows of the list of chats and their menu. Between elements.js and chats.js in the `js_on_load` of a
// gr.HTML. A row is a link, a text field while it is renamed, or a line with “Undo” once it is deleted; it
// keeps its element and its place throughout. What is to be done it tells `act`, which chats.js has.

Object.assign(PATHS, { more: "M3.5 8h.01M8 8h.01M12.5 8h.01" });

const LONGEST_TITLE = 200;
const address = (path) => new URL(path, document.baseURI).href;

// `text` with the words of `search` marked.
const highlight = (node, text, search) => {
  const words = search.split(/[^\p{L}\p{N}]+/u).filter(Boolean);
  node.replaceChildren();
  if (!words.length) return void node.append(text);
  const parts = text.split(new RegExp(`(${words.join("|")})`, "iu"));
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

  const row = (node.row = { node, link, button, chat: null, state: "", at: 0 });

  const name = (chat) => chat.title.trim() || "Untitled";
  row.update = (chat, search, current) => {
    row.chat = chat;
    link.href = address(`?chat=${encodeURIComponent(chat.id)}`);
    say(title, name(chat));
    link.title = name(chat);
    button.setAttribute("aria-label", `More for ${name(chat)}`);
    highlight(found, chat.found, search);
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
  row.restore = () => {
    row.state = "";
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
    field.addEventListener("blur", () => end(true));
    row.state = "renaming";
    node.replaceChildren(field);
    field.focus();
    field.select();
  };

  row.remove = () => {
    const focused = node.contains(document.activeElement);
    const text = make("span", "gone");
    const quoted = make("bdi", "", name(row.chat));
    text.append("Deleted «", quoted, "»");
    const undo = make("button", "undo", "Undo");
    undo.type = "button";
    undo.addEventListener("click", () => act.undo(row));
    row.state = "gone";
    node.replaceChildren(text, undo);
    if (focused) undo.focus();
  };
  return row;
};

// -- the menu: one for all rows, in the top layer, so that the sidebar's edge does not cut it ------------

const makeMenu = (act) => {
  const node = make("div", "menu");
  node.popover = "manual";
  node.setAttribute("role", "menu");
  const item = (tag, text) => {
    const each = node.appendChild(make(tag, "", text));
    each.setAttribute("role", "menuitem");
    each.tabIndex = -1;
    return each;
  };
  const rename = item("button", "Rename");
  const exports = ["md", "json"].map((suffix) => {
    const link = item("a", `Export ${suffix === "md" ? "Markdown" : "JSON"}`);
    link.download = "";
    return [link, suffix];
  });
  const remove = item("button", "Delete");
  const items = [...node.children];
  let row = null;

  const close = (focus) => {
    if (!row) return;
    const { button } = row;
    row = null;
    button.setAttribute("aria-expanded", "false");
    node.hidePopover();
    if (focus) button.focus();
  };
  const open = (next) => {
    const again = row === next;
    close(again);
    if (again) return;
    row = next;
    row.button.setAttribute("aria-expanded", "true");
    for (const [link, suffix] of exports) link.href = address(`chats/${row.chat.id}/export.${suffix}`);
    node.showPopover();
    const at = row.button.getBoundingClientRect();
    const below = at.bottom + node.offsetHeight + 4 <= innerHeight;
    node.style.top = `${below ? at.bottom : Math.max(0, at.top - node.offsetHeight)}px`;
    node.style.left = `${Math.max(4, at.right - node.offsetWidth)}px`;
    items[0].focus({ preventScroll: true });
  };

  rename.onclick = () => {
    const chosen = row;
    close();
    chosen.rename();
  };
  remove.onclick = () => {
    const chosen = row;
    close(true);
    act.remove(chosen);
  };
  for (const [link] of exports) link.addEventListener("click", () => setTimeout(close, 0, true));
  node.addEventListener("keydown", (event) => {
    const place = items.indexOf(document.activeElement);
    const next = {
      ArrowDown: (place + 1) % items.length,
      ArrowUp: (place + items.length - 1) % items.length,
      Home: 0,
      End: items.length - 1,
    }[event.key];
    if (next !== undefined) items[next].focus();
    else if (event.key === "Escape" || event.key === "Tab") close(true);
    else return;
    if (event.key !== "Tab") event.preventDefault(); // Esc would stop the answer
    event.stopPropagation();
  });
  addEventListener("pointerdown", (event) => {
    if (row && !node.contains(event.target) && !row.button.contains(event.target)) close();
  }, true);
  addEventListener("scroll", () => close(), { capture: true, passive: true });
  addEventListener("resize", () => close());
  return { node, open, close };
};
