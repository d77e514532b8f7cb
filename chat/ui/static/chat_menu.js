// The menu of a chat: one for all rows, in the top layer, so that the sidebar's edge does not cut it. After
// chat_rows.js. It tells `act` what was chosen for the row that it was opened for.

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
    settle();
    items[0].focus({ preventScroll: true });
  };

  // Beside its button, wherever the list has put that by now.
  const settle = () => {
    if (!row) return;
    if (!row.button.isConnected) return close();
    const at = row.button.getBoundingClientRect();
    const below = at.bottom + node.offsetHeight + 4 <= innerHeight;
    node.style.top = `${below ? at.bottom : Math.max(0, at.top - node.offsetHeight)}px`;
    node.style.left = `${Math.max(4, at.right - node.offsetWidth)}px`;
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
  // What scrolls elsewhere, as the chat does at each frame of an answer, is nothing to it.
  addEventListener("scroll", ({ target }) => row && target.contains(row.button) && close(), { capture: true, passive: true });
  addEventListener("resize", settle);
  return { node, open, close, settle };
};
