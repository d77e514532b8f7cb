// The page at /embed: what a site needs around the client to show a conversation. Text enters the page as
// text only; bubble.js draws an answer, markdown.js makes elements of it once it is whole.
(() => {
  const $ = (id) => document.getElementById(id);
  const log = $("log"), messages = $("messages"), box = $("question"), send = $("send"), stop = $("stop");

  // -- following the text, until the reader looks elsewhere ------------------------------------

  const NEAR = 48; // pixels
  let following = true, pressed = false, drawn = 0, top = 0;
  const far = () => log.scrollHeight - log.clientHeight - log.scrollTop;
  const follow = () => {
    cancelAnimationFrame(drawn);
    drawn = requestAnimationFrame(() => {
      if (following && !pressed) log.scrollTop = log.scrollHeight;
      $("newest").hidden = following;
    });
  };
  log.addEventListener("scroll", () => {
    // Text that grew below is no step of the reader's; only a way up is.
    if (far() < NEAR) following ||= !selected();
    else if (log.scrollTop < top) following = false;
    top = log.scrollTop;
    $("newest").hidden = following;
  });
  // A held mouse points at what it pointed at, and who selects, scrolls a block or reaches a link is left alone.
  const selected = () => !getSelection().isCollapsed && getSelection().containsNode(log, true);
  const leave = () => {
    following = false;
    follow();
  };
  const release = () => {
    if (!pressed) return;
    pressed = false;
    if (selected()) following = false;
    follow();
  };
  const press = (event) => (pressed = event.target !== log || event.offsetX < log.clientWidth); // not the scrollbar
  log.addEventListener("mousedown", press);
  for (const end of ["mouseup", "dragend"]) addEventListener(end, release, true);
  addEventListener("blur", release); // of the window
  addEventListener("mousemove", (event) => event.buttons || release(), { passive: true });
  log.addEventListener("touchstart", (event) => {
    press(event);
    for (const end of ["touchend", "touchcancel"]) event.target.addEventListener(end, release, { once: true, passive: true });
  }, { passive: true });
  document.addEventListener("selectionchange", () => following && selected() && leave());
  log.addEventListener("focusin", ({ target }) => target !== log && target.matches(":focus-visible") && leave());
  messages.addEventListener("scroll", leave, { capture: true, passive: true });
  new ResizeObserver(follow).observe(messages);
  new ResizeObserver(follow).observe(log);
  $("newest").addEventListener("click", () => {
    following = true;
    follow();
  });

  $("welcome").replaceChildren(renderMarkdown($("welcome").textContent));

  // -- the conversation -------------------------------------------------------------------------

  const LONGEST = Number(document.body.dataset.longest); // characters of a question, as in chat/runs.py
  const model = new URLSearchParams(location.search).get("model"); // /embed?model=… asks that one

  /** The conversation of this tab, which a reload draws again. */
  const kept = {
    name: `runnel ${location.pathname}${location.search}`,
    get id() {
      try {
        return sessionStorage.getItem(this.name);
      } catch {
        return null; // a frame may have no storage
      }
    },
    set id(id) {
      try {
        if (id) sessionStorage.setItem(this.name, id);
        else sessionStorage.removeItem(this.name);
      } catch {}
    },
  };

  const fresh = (options = {}) => {
    const onEvent = (event) => {
      if (event.opened?.conversation && chat === made) kept.id = event.opened.conversation;
      made.bubble.event(event);
    };
    const made = new StreamingChat("chat/stream", { onEvent, body: model ? { model } : {}, ...options });
    return made;
  };
  let chat = fresh();

  const running = (yes) => {
    const focused = document.activeElement === (yes ? send : stop);
    send.hidden = yes;
    stop.hidden = !yes;
    stop.disabled = false;
    stop.textContent = "Stop";
    if (focused) (yes ? stop : box).focus();
  };

  const say = (question) => {
    $("empty").hidden = true;
    const said = messages.appendChild(document.createElement("article"));
    said.className = "message";
    said.dataset.role = "user";
    said.textContent = question;
  };

  /** Whether it was asked: while an answer is being written nothing is. */
  function ask(question) {
    if (chat.streaming || send.disabled || !question.trim()) return false;
    const length = question.length > LONGEST ? [...question].length : 0, number = (count) => count.toLocaleString("en-US");
    const long = length > LONGEST ? `Your question has ${number(length)} characters, and ${number(LONGEST)} fit: shorten it.` : "";
    $("said").textContent = long;
    if (long) return false;
    say(question);
    hear(chat, question);
    return true;
  }

  async function hear(asked, question) {
    const shown = (asked.bubble = new Bubble(messages));
    following = true;
    follow();
    running(true);
    const failed = (error) => {
      if (error.status === 404 && asked.conversation) {
        asked.conversation = null; // deleted elsewhere: the next one begins anew
        if (asked === chat) kept.id = null;
      }
      if (error.status === 401) return shown.lost(error.text);
      shown.end("failed", error.text, error.sentence ?? error.message);
      if (error.status && !box.value) { // it was not taken
        box.value = question;
        fit();
      }
      shown.offer("Ask again", () => ask(question));
    };
    const ended = (text, { state, stop }) => shown.end(state, text, null, stop);
    try {
      await asked.sendMessage(question, (piece) => shown.add(piece), ended, failed);
    } finally {
      if (asked === chat) running(false);
    }
  }

  /** What was said in this tab before it was loaded anew; an answer that is being written is read on. */
  async function recall(id) {
    const asked = chat, address = `chats/${encodeURIComponent(id)}/export.json`;
    asked.conversation = id;
    const answer = await fetch(address, { cache: "no-store" }).catch(() => null);
    if (answer?.status === 404) asked.conversation = kept.id = null;
    const said = answer?.ok ? (await answer.json()).messages : [];
    if (asked !== chat) return; // New chat was quicker
    for (const message of said) {
      const question = said.find(({ id }) => id === message.parent);
      if (message.role === "user" && !message.continues) say(message.parts[0].text);
      if (message.role === "user") continue;
      if (message.state !== "running") new Bubble(messages).kept(message);
      else readOn(id, message.id, question.parts[0].text);
    }
    follow();
  }

  function readOn(conversation, run, question) {
    // With the number of its first frame an answer comes from its beginning, and nothing is asked.
    const again = (chat = fresh({ headers: { "Last-Event-ID": `${run}/0` } }));
    hear(again, question || "…").then(() => {
      if (chat !== again) return;
      chat = fresh();
      chat.conversation = conversation;
    });
  }

  // A keyboard on the screen comes when the box is touched; on a device that nobody touched, it is a real one.
  const touch = matchMedia("(hover: none) and (pointer: coarse)");
  let touched = false;
  addEventListener("pointerdown", (event) => { touched = event.pointerType === "touch"; }, true);
  const fit = () => {
    // Measuring a million characters takes seconds; the most that its style allows is less anyway.
    if (box.value.length > 20_000) return void (box.style.height = "100vh");
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight + 2}px`;
  };
  box.addEventListener("input", fit);
  box.addEventListener("input", () => ($("said").textContent = ""));
  box.addEventListener("keydown", (event) => {
    // Enter that ends a composition (Japanese, Chinese …) belongs to it; 229 is how Safari says so.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    if (touch.matches && touched && !event.ctrlKey && !event.metaKey) return; // a new line: Send is a button
    event.preventDefault();
    $("ask").requestSubmit();
  });
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!ask(box.value)) return;
    box.value = "";
    fit();
  });
  const halt = () => {
    stop.disabled = true;
    stop.textContent = "Stopping";
    chat.stop();
  };
  stop.addEventListener("click", halt);
  for (const example of $("empty").querySelectorAll("button")) {
    example.addEventListener("click", () => {
      ask(example.textContent);
      log.focus();
    });
  }
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && chat.streaming) halt();
  });
  $("new").addEventListener("click", () => {
    chat.stop();
    chat = fresh();
    kept.id = null;
    messages.replaceChildren();
    $("empty").hidden = false;
    running(false);
    box.focus();
  });
  // What is sent before all this stands would be a form's, and lost.
  (kept.id ? recall(kept.id).catch(() => {}) : Promise.resolve()).then(() => (send.disabled = false));
})();
