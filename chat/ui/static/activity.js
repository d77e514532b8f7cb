// The activity view's script: with elements.js and tree.js before it, the `js_on_load` of a gr.HTML, so
// `element`, `props` and `watch` are given. Builds elements from the value that `activity.view` makes, and
// changes only what is new: cards keep their place, what the reader opened and their scroll.

// -- cards: each keeps its elements and takes what changed -----------------------------------------

// Whether a thought is open while it runs: as the reader left the last one.
let live = true;

const card = (kind) => {
  const node = make("details", kind);
  const summary = node.appendChild(make("summary"));
  // A click is the reader's; what the script opens and folds is not.
  summary.addEventListener("click", () => (node.touched = !node.open));
  return [node, summary];
};

const makers = {
  step() {
    const node = make("div", "step");
    const words = node.appendChild(make("span", "words"));
    const clock = node.appendChild(make("span", "clock"));
    const detail = node.appendChild(make("p", "detail"));
    return [node, (item) => {
      say(words, item.words);
      say(clock, time(item.seconds));
      say(detail, item.detail);
      show(detail, item.detail !== "");
    }];
  },

  progress() {
    const node = make("div", "step");
    const words = node.appendChild(make("span", "words"));
    return [node, (item) => say(words, item.text)];
  },

  thought() {
    const [node, summary] = card("thought");
    const words = make("span", "words");
    const clock = make("span", "clock");
    summary.append(icon("chevron"), words, clock);
    const box = node.appendChild(make("div", "text"));
    box.tabIndex = 0;
    box.setAttribute("role", "region");
    box.setAttribute("aria-label", "Thinking");
    const more = node.appendChild(make("p", "detail"));
    let running = true;
    // It follows its end until the reader goes up, and again from where the reader comes back to it.
    let stuck = true;
    let top = 0;
    box.addEventListener("scroll", () => {
      const now = box.scrollTop;
      if (now < top) stuck = false;
      else if (box.scrollHeight - now - box.clientHeight < 32) stuck = true;
      top = now;
    }, { passive: true });
    // Nor while a mouse is held on it, or something in it is selected.
    const busy = () => box.matches(":active") || (!getSelection().isCollapsed && getSelection().containsNode(box, true));
    box.addEventListener("wheel", (event) => {
      if (event.deltaY < 0) stuck = false;
    }, { passive: true });
    summary.addEventListener("click", () => {
      if (running) live = !node.open;
    });
    node.open = live;
    return [node, (item) => {
      if (grow(box, item.text) && stuck && node.open) {
        requestAnimationFrame(() => stuck && !busy() && (box.scrollTop = box.scrollHeight));
      }
      show(more, item.more > 0);
      if (item.more) say(more, `and ${item.more.toLocaleString("en")} characters more`);
      const over = item.seconds !== null;
      say(words, over ? "Thought for" : "Thoughts"); // while it runs, the phase has the clock
      if (over) say(clock, time(item.seconds));
      if (over && running) {
        running = false;
        if (!node.touched) node.open = false;
      }
    }];
  },

  call() {
    const [node, summary] = card("call");
    const title = make("span", "words");
    const name = title.appendChild(make("span", "name"));
    const short = title.appendChild(make("span", "arguments"));
    const clock = make("span", "clock");
    const line = make("span", "line");
    let mark = icon("preparing");
    summary.append(mark, title, clock, line);
    const section = (label) => {
      const part = node.appendChild(make("div", "part"));
      part.append(make("span", "label", label));
      const text = part.appendChild(make("pre"));
      text.tabIndex = 0;
      return (value) => {
        show(part, value !== "");
        grow(text, value);
      };
    };
    const where = node.appendChild(make("p", "detail", "Run by the provider, not on this machine."));
    const sent = section("Arguments");
    const result = section("Result");
    const error = section("Error");
    let state = "";
    return [node, (item) => {
      if (item.state !== state) {
        state = item.state;
        node.dataset.state = state;
        const next = icon(state);
        mark.replaceWith(next);
        mark = next;
      }
      say(name, item.name);
      say(short, `(${state === "preparing" ? item.arguments.replace(/\s+/g, " ") : item.short})`);
      say(line, item.error ? item.error.split("\n", 1)[0] : item.line && `→ ${item.line}`);
      show(line, line.textContent !== "");
      show(where, item.where === "provider");
      sent(item.arguments);
      result(item.result);
      error(item.error);
      if (item.seconds !== null) say(clock, time(item.seconds));
      else if (state === "running" || state === "preparing") return tick(clock, item.began);
      else say(clock, state === "left" ? "not finished" : "");
      clocks.delete(clock);
    }];
  },
};

// -- clocks: they tick here, not by updates ------------------------------------------------------

const clocks = new Map(); // element → seconds after the run's begin
let origin = 0; // the run's begin on this page's clock, in milliseconds
let timer = 0;

const draw = () => {
  const now = (performance.now() - origin) / 1000;
  for (const [node, began] of clocks) say(node, `${Math.max(0, now - began).toFixed(1)} s`);
};
const tick = (node, began) => {
  clocks.set(node, began);
  if (!timer) timer = setInterval(draw, 100);
};
const still = () => {
  clearInterval(timer);
  timer = 0;
  clocks.clear();
};

// -- the whole --------------------------------------------------------------------------------------

const root = make("section", "activity");
root.setAttribute("aria-label", "Activity");
const empty = make("p", "empty", "What happens while an answer arrives is shown here.");
const earlier = make("p", "earlier", "Of an earlier answer. ");
const newest = earlier.appendChild(make("button", "", "Show the newest"));
newest.type = "button";
newest.addEventListener("click", () => runnel.act({ act: "look" }));
const phase = make("div", "phase");
const words = make("span", "words");
const clock = make("span", "clock");
const why = make("p", "detail");
phase.append(make("span", "mark"), words, clock, why);
const list = make("div", "items");
const failure = make("p", "failure");
const notices = make("div", "notices");
const fold = (kind, title) => {
  const [node, summary] = card(kind);
  summary.append(icon("chevron"), make("span", "words", title), make("span", "clock"));
  node.append(make("div", "inside"));
  return node;
};
const sources = fold("sources", "Sources");
const found = fold("json", "JSON in the answer");
const request = fold("request", "Request");
const usage = make("p", "usage");
root.append(empty, earlier, phase, list, failure, notices, sources, found, request, usage);

let cards = new Map();
let last = null;

// What screen readers hear, whichever tab of the sidebar is open: how an answer stands, never each word.
const heard = document.querySelector("#heard") ?? document.body.appendChild(make("div"));
heard.id = "heard";
heard.setAttribute("role", "status");
const tell = (value) => {
  if (value.state === "running" || (last?.run === value.run && last.state === "running")) {
    say(heard, [value.words, value.failure].filter(Boolean).join(". "));
  }
};

const refill = (node, value, count, fill) => {
  const text = JSON.stringify(value);
  if (node.text === text) return;
  node.text = text;
  show(node, count > 0);
  const size = node.querySelector("summary .clock");
  if (size) say(size, count > 1 ? String(count) : "");
  const inside = node.querySelector(".inside") ?? node;
  inside.replaceChildren();
  if (count) fill(inside);
};

const begin = () => {
  still();
  cards = new Map();
  list.replaceChildren();
  for (const node of [sources, found]) node.open = node.touched = false;
};

const update = (value) => {
  const some = Array.isArray(value?.items);
  root.dataset.state = some ? value.state : "empty";
  root.dataset.phase = some ? value.phase : "";
  show(empty, !some);
  for (const node of [phase, list]) show(node, some);
  show(earlier, some && value.earlier);
  if (!some) {
    begin();
    last = null;
    for (const node of [failure, notices, sources, found, request, usage]) {
      node.text = "";
      show(node, false);
    }
    return;
  }
  tell(value);
  const fresh = !last || value.run !== last.run;
  if (fresh) begin();
  const running = value.state === "running";
  const began = performance.now() - value.elapsed * 1000;
  // The earliest guess is the best one: messages come late, never early.
  origin = fresh ? began : Math.min(origin, began);
  last = value;

  say(words, value.words);
  say(why, value.detail);
  show(why, value.detail !== "");
  let before = null;
  for (const item of value.items) {
    let entry = cards.get(item.id);
    if (!entry) {
      entry = makers[item.kind]();
      cards.set(item.id, entry);
      if (before) before.after(entry[0]);
      else list.prepend(entry[0]);
    }
    entry[1](item);
    before = entry[0];
  }
  if (running) {
    tick(clock, value.began);
    draw();
  } else {
    still();
    say(clock, time(value.elapsed));
  }

  say(failure, value.failure);
  show(failure, value.failure !== "");
  refill(notices, value.notices, value.notices.length, (inside) => {
    for (const text of value.notices) inside.append(make("p", "notice", text));
  });
  refill(sources, value.sources, value.sources.length, (inside) => {
    for (const [title, url] of value.sources) {
      const line = inside.appendChild(make("p"));
      const safe = /^https?:\/\//i.test(url);
      const link = line.appendChild(make(safe ? "a" : "span", "", title || url));
      if (safe) Object.assign(link, { href: url, target: "_blank", rel: "noopener noreferrer" });
    }
  });
  refill(found, value.json, value.json ? 1 : 0, (inside) => {
    inside.append(branch(null, JSON.parse(value.json, exact), true));
  });
  refill(request, value.request, value.request.length, (inside) => {
    for (const [name, text] of value.request) {
      const line = inside.appendChild(make("div", "pair"));
      line.append(make("span", "label", name), make("span", "value", text));
    }
  });
  say(request.querySelector("summary .clock"), value.request[0]?.[1] ?? "");
  say(usage, value.usage);
  show(usage, value.usage !== "");
};

element.append(root);
update(props.value);
watch("value", () => update(props.value));
