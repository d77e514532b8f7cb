// Follows the newest text, and never fights the reader: who looks elsewhere, or does anything with what stands
// there (a held mouse, selected text, a block scrolled sideways, a link reached with Tab), is left alone, and
// a button leads back. Other scripts say where the chat stands: `runnel-opened`, `runnel-join`, `runnel-keep`.
(() => {
  const find = (selector) => document.querySelector(selector);

  const NEAR = 64; // pixels from the end that count as the end
  const FAR = 120; // pixels from the end at which the button appears
  const MOVES = ["wheel", "touchstart", "pointerdown", "keydown"];

  const follow = (chat) => {
    let following = true;
    let pressed = false; // a finger or a button of the mouse is down: what it points at stays below it
    let held = null; // ends the holding of a row
    let at = 0;
    let tall = 0;
    const button = document.createElement("button");
    button.id = "newest";
    button.type = "button";
    button.textContent = "Newest text";
    button.hidden = true;
    chat.parentElement.append(button);

    const rest = () => chat.scrollHeight - chat.scrollTop - chat.clientHeight;
    const offer = () => {
      const hidden = following || rest() < FAR;
      if (button.hidden !== hidden) button.hidden = hidden;
    };
    const settle = () => {
      if (following && !pressed) chat.scrollTop = chat.scrollHeight;
      [at, tall] = [chat.scrollTop, chat.scrollHeight];
      offer();
    };
    const set = (yes) => {
      following = yes;
      // Who reads elsewhere keeps the place when the column gets another width. Both at once would fight.
      chat.style.overflowAnchor = yes || held ? "none" : "auto";
    };
    const leave = () => {
      set(false);
      offer();
    };
    const join = () => {
      set(true);
      settle();
    };
    // Any way up leaves; only the way down to the end comes back. A chat that got shorter goes up by itself
    // (an answer that is tried again) before `settle` hears of it: that is nobody's doing.
    chat.addEventListener("scroll", () => {
      const now = chat.scrollTop;
      if (now < at - 1 && rest() > 1 && chat.scrollHeight === tall) set(false);
      else if (now > at && rest() <= NEAR && !held && !selected()) set(true);
      [at, tall] = [now, chat.scrollHeight];
      offer();
    }, { passive: true });
    chat.addEventListener("wheel", (event) => {
      if (event.deltaY < 0 && chat.scrollTop > 0) leave();
      else if (!following && event.deltaY > rest()) join(); // else the end would run ahead of the wheel
    }, { passive: true });

    // -- what a reader does with what stands there -------------------------------------------------

    const selected = () => {
      const selection = getSelection();
      return !selection.isCollapsed && selection.containsNode(chat, true);
    };
    const press = (event) => {
      if (event.target === chat && event.offsetX >= chat.clientWidth) return; // the scrollbar
      pressed = true;
    };
    const release = () => {
      if (!pressed) return;
      pressed = false;
      if (selected()) leave();
      settle();
    };
    chat.addEventListener("mousedown", press, true);
    for (const end of ["mouseup", "dragend"]) addEventListener(end, release, true);
    addEventListener("blur", release); // of the window
    addEventListener("mousemove", (event) => event.buttons || release(), { passive: true }); // released elsewhere
    chat.addEventListener("touchstart", (event) => {
      press(event);
      // Not at the chat: what is touched may be gone by then.
      const ended = ({ touches }) => touches.length || release();
      for (const end of ["touchend", "touchcancel"]) event.target.addEventListener(end, ended, { once: true, passive: true });
    }, { passive: true });
    document.addEventListener("selectionchange", () => following && selected() && leave());
    chat.addEventListener("focusin", ({ target }) => target !== chat && target.matches(":focus-visible") && leave());
    chat.addEventListener("click", (event) => event.target.closest("summary") && leave());
    chat.addEventListener("scroll", ({ target }) => target !== chat && leave(), { capture: true, passive: true }); // a block, sideways
    window.visualViewport?.addEventListener("resize", () => visualViewport.scale > 1.05 && leave());

    button.addEventListener("click", () => {
      join();
      find("#question textarea")?.focus({ preventScroll: true });
    });

    // Keeps the row of a run where it is, or where it is wanted, while others come above it: their heights
    // are guesses until they are near. Until the reader moves, or all has long been still.
    const HELD = 1000; // milliseconds
    const rowOf = (run) => run && chat.querySelector(`.run-${CSS.escape(run)}`)?.closest(".message-row");
    const top = (row) => row.getBoundingClientRect().top;
    const hold = (find, wanted) => {
      let until = performance.now() + 10 * HELD;
      let still = chat.scrollHeight;
      const end = () => {
        held = null;
        set(following);
        for (const kind of MOVES) removeEventListener(kind, end, true);
      };
      held?.();
      held = end;
      set(false);
      for (const kind of MOVES) addEventListener(kind, end, { capture: true, passive: true });
      const step = () => {
        if (held !== end) return;
        const row = find();
        const off = row ? top(row) - wanted : 0;
        if (Math.abs(off) > 0.5) chat.scrollTop += off;
        if (chat.scrollHeight !== still) until = performance.now() + HELD;
        still = chat.scrollHeight;
        if (performance.now() < until) requestAnimationFrame(step);
        else end();
      };
      step();
    };
    addEventListener("runnel-opened", ({ detail }) => {
      if (!rowOf(detail.run)) return;
      const question = () => {
        let row = rowOf(detail.run);
        while (row?.previousElementSibling && !row.classList.contains("user-row")) row = row.previousElementSibling;
        return row;
      };
      hold(question, chat.getBoundingClientRect().top + 16);
    });
    addEventListener("runnel-join", join); // what a person asks for, they want to see
    addEventListener("runnel-keep", () => {
      const edge = chat.getBoundingClientRect().top;
      const mark = runnel.marks().find((each) => each.getBoundingClientRect().bottom > edge);
      const run = runnel.named(mark, "run");
      const row = rowOf(run);
      if (row) hold(() => rowOf(run), top(row));
    });

    const sizes = new ResizeObserver(settle); // after layout, before paint: nothing is laid out twice
    sizes.observe(chat);
    const rows = new MutationObserver((changes) => {
      const asked = changes.some((c) => [...c.addedNodes].some((n) => n.classList?.contains("user-row")));
      if (asked && !held) join();
    });
    const adopt = () => {
      const list = chat.querySelector(".message-wrap");
      if (!list || list.followed) return;
      list.followed = true;
      sizes.observe(list);
      rows.observe(list, { childList: true });
      join();
    };
    new MutationObserver(adopt).observe(chat, { childList: true });
    adopt();
  };

  const begin = () => {
    const chat = find("#chat .bubble-wrap");
    if (chat) follow(chat);
    return chat;
  };
  const watcher = new MutationObserver(() => begin() && watcher.disconnect());
  watcher.observe(document, { childList: true, subtree: true });
})();
