// The list of chats in the sidebar, with elements.js and the chat_*.js before it. It asks the routes of
// chat/api/chats.py when its tab is shown and whenever something may have changed, and changes only what is
// new, so that focus, scroll and a name being typed stay. Other scripts open the chat (`runnel-open`), say
// which one is shown (`runnel-opened`) and that the list is another one (`runnel-chats`).

const PAGE = 50, MOST = 500; // rows: one more step, and in one request
const TYPING = 150, LONGEST = 10_000, KEPT = 10_000, AGAIN = [1000, 2000, 5000, 10_000]; // milliseconds
const FAILED = "The list cannot be loaded. Trying again.";
const CUT = "Only your latest chats were searched: it took too long. Another or a longer word finds more.";
const over = matchMedia("(width <= 900px)"); // the sidebar lies over the page

const root = make("section", "chats");
root.setAttribute("aria-label", "Chats");
const head = root.appendChild(make("div", "head"));
const field = head.appendChild(make("input", "search"));
Object.assign(field, { type: "search", placeholder: "Search chats", maxLength: 200, dir: "auto" });
field.setAttribute("aria-label", "Search chats");
field.setAttribute("enterkeyhint", "search");
const note = head.appendChild(make("p", "note"));
note.setAttribute("role", "status");
const empty = root.appendChild(make("p", "empty"));
empty.setAttribute("role", "status");
const groups = makeGroups();
root.append(...groups.map(([group]) => group));
const more = root.appendChild(make("button", "further", "Show more"));
more.type = "button";
note.hidden = empty.hidden = more.hidden = true;

const rows = new Map(); // id of a chat → its row
let listed = []; // what the server said last, in its order
let wanted = PAGE;
let asked = ""; // the search whose answer is shown
let current = new URL(location).searchParams.get("chat") ?? "";
let reached = ""; // the chat whose row Tab reaches
let visible = false;
let loading = null; // AbortController of the request on its way
let unfinished = false; // the search whose answer is shown did not look at all chats
let failures = 0, retry = 0, typing = 0, hush = 0;

// -- asking --------------------------------------------------------------------------------------------

const call = async (method, path, body, signal) => {
  const response = await fetch(address(path), {
    method,
    signal,
    cache: "no-store",
    keepalive: method !== "GET", // a page that is left a moment later takes nothing back
    headers: body ? { "Content-Type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || "That did not work: the server is away. Try again.");
  return answer;
};

// The first `wanted` chats that fit the search.
const load = async () => {
  loading?.abort();
  const mine = (loading = new AbortController());
  clearTimeout(retry);
  clearTimeout(typing);
  const late = setTimeout(() => mine.abort(), LONGEST);
  const search = field.value.trim();
  try {
    const chats = [];
    let rest = true, cut = false;
    while (rest && chats.length < wanted) {
      const limit = Math.min(MOST, wanted - chats.length);
      const query = new URLSearchParams({ search, skip: chats.length, limit });
      const answer = await call("GET", `chats?${query}`, undefined, mine.signal);
      chats.push(...answer.chats);
      rest = answer.more && answer.chats.length > 0;
      cut ||= answer.cut;
    }
    if (loading !== mine) return;
    loading = null;
    if (failures || cut !== unfinished) hear(cut ? CUT : "");
    failures = 0;
    unfinished = cut;
    listed = chats;
    asked = search;
    draw(rest);
  } catch {
    if (loading !== mine) return; // a newer request is on its way
    loading = null;
    hear(FAILED);
    const wait = AGAIN[Math.min(failures++, AGAIN.length - 1)];
    retry = setTimeout(() => visible && load(), wait);
  } finally {
    clearTimeout(late);
  }
};

// A line over the top of the list, which moves nothing.
const hear = (text, passing) => {
  clearTimeout(hush);
  say(note, text);
  show(note, text !== "");
  if (passing) hush = setTimeout(hear, 8000, "");
};

const change = async (work) => {
  try {
    await work();
    return true;
  } catch (error) {
    hear(error instanceof TypeError ? "That did not work: no connection. Try again." : error.message, true);
    return false;
  } finally {
    if (visible) load();
  }
};

// -- drawing ---------------------------------------------------------------------------------------------

const draw = (rest) => {
  const focused = root.contains(document.activeElement) ? document.activeElement : null;
  const height = root.offsetHeight;
  for (const chat of listed) {
    let row = rows.get(chat.id);
    if (!row) rows.set(chat.id, (row = makeRow(acts)));
    row.update(chat, asked, current);
  }
  const here = new Set(listed.map((chat) => chat.id));
  const all = [...listed];
  for (const [id, row] of rows) {
    if (here.has(id)) continue;
    // What can still be undone keeps its place, and so does what is being renamed.
    if (row.state) all.splice(all.findLastIndex((chat) => chat.updated >= row.chat.updated) + 1, 0, row.chat);
    else rows.delete(id);
  }
  acts.drawing = true;
  arrange(groups, all, (chat) => rows.get(chat.id).node);
  acts.drawing = false;
  menu.settle();
  show(more, rest);
  say(empty, asked ? `Nothing found for “${asked}”.` : "No chats yet.");
  show(empty, !listed.length && (asked !== "" || !all.length));
  // A search that finds little does not let the sidebar shrink under the field.
  root.style.minHeight = asked ? `${Math.min(height, innerHeight)}px` : "";
  reach();
  if (focused && document.activeElement !== focused) {
    if (focused.isConnected && !focused.hidden) focused.focus({ preventScroll: true });
    else lines().at(-1)?.focus({ preventScroll: true });
  }
};

const lines = () => [...root.querySelectorAll(".row > .link")];

const reach = () => {
  const chosen = [reached, current].find((id) => rows.get(id)?.node.isConnected) ?? listed[0]?.id;
  for (const [id, row] of rows) row.reach(id === chosen);
};

const mark = (id) => {
  current = id;
  for (const row of rows.values()) row.mark(id);
  reach();
};

// -- what a person does ------------------------------------------------------------------------------------

const open = (chat) => {
  mark(chat);
  dispatchEvent(new CustomEvent("runnel-open", { detail: { chat } }));
};

const forget = (row) => {
  if (row.state !== "gone") return;
  if (row.node.matches(":hover, :focus-within")) return void (row.timer = setTimeout(forget, KEPT / 4, row));
  rows.delete(row.chat.id);
  draw(!more.hidden);
};

const acts = {
  drawing: false,

  async rename(row, title) {
    const before = row.chat;
    row.update({ ...before, title }, asked, current);
    const good = await change(() => call("PATCH", `chats/${before.id}`, { title }));
    if (!good) row.update({ ...row.chat, title: before.title }, asked, current);
  },

  async remove(row) {
    const { id } = row.chat;
    row.remove();
    row.timer = setTimeout(forget, KEPT, row);
    row.deleting = change(() => call("DELETE", `chats/${id}`));
    const good = await row.deleting;
    if (row.state !== "gone") return;
    if (good) {
      row.open = id === current;
      if (row.open) open("");
    } else {
      clearTimeout(row.timer);
      row.restore();
    }
  },

  async undo(row) {
    const { id } = row.chat;
    clearTimeout(row.timer);
    row.restore("returning");
    row.link.focus();
    await row.deleting;
    const good = await change(() => call("POST", `chats/${id}/restore`));
    row.state = "";
    if (good && row.open && !current) open(id);
  },
};

const menu = makeMenu(acts);
root.append(menu.node);
const rowOf = (node) => node.closest(".row")?.row;

root.addEventListener("click", (event) => {
  const row = rowOf(event.target);
  if (!row) return;
  if (row.button.contains(event.target)) return void menu.open(row);
  if (!row.link.contains(event.target)) return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // the browser's own
  event.preventDefault();
  open(row.chat.id);
  if (over.matches) document.querySelector("#sidebar.open .toggle-button")?.click();
});
root.addEventListener("focusin", (event) => {
  const row = rowOf(event.target);
  if (!row || row.chat.id === reached) return;
  reached = row.chat.id;
  reach();
});
root.addEventListener("keydown", (event) => {
  if (event.isComposing || menu.node.contains(event.target) || event.target.matches(".rename")) return;
  if (event.target === field && event.key === "Escape" && field.value) {
    field.value = "";
    wanted = PAGE;
    load();
    event.preventDefault(); // Esc would stop the answer
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const all = lines();
  const row = rowOf(event.target);
  const place = row ? all.indexOf(row.link) : -1;
  if (event.target === field ? event.key === "ArrowDown" : row && event.key in STEPS) {
    all[STEPS[event.key](place, all.length)]?.focus();
  } else if (row && event.target === row.link && event.key === "F2") row.rename();
  else if (row && event.target === row.link && event.key === "Delete") acts.remove(row);
  else return;
  event.preventDefault();
});
const STEPS = {
  ArrowDown: (place, count) => Math.min(place + 1, count - 1),
  ArrowUp: (place) => Math.max(place - 1, 0),
  Home: () => 0,
  End: (place, count) => count - 1,
};

field.addEventListener("input", () => {
  wanted = PAGE;
  clearTimeout(typing);
  typing = setTimeout(load, TYPING);
});
field.addEventListener("keydown", (event) => event.key === "Enter" && load());
more.addEventListener("click", () => {
  wanted = listed.length + PAGE;
  load();
});

addEventListener("runnel-chats", () => visible && load());
document.addEventListener("visibilitychange", () => visible && !document.hidden && load()); // a new day, perhaps
addEventListener("runnel-opened", (event) => {
  mark(event.detail?.chat ?? "");
  if (visible) load();
});
new IntersectionObserver(([entry]) => {
  const before = visible;
  visible = entry.isIntersecting;
  if (visible && !before) load();
}).observe(root);

element.append(root);
