// What the page needs and Gradio does not do: follow the newest text without fighting the reader,
// Esc, a sidebar that starts closed on small screens, names for what has only an icon.
// Runs from `head`, before Gradio has drawn anything. Costs nothing while nothing moves.
(() => {
  const html = document.documentElement;
  const small = matchMedia("(width <= 900px)"); // the sidebar lies over the page, as in small.css
  const find = (selector) => document.querySelector(selector);

  // Calls `then` with the element as soon as there is one.
  const once = (selector, then) => {
    const now = find(selector);
    if (now) return then(now);
    const watcher = new MutationObserver(() => {
      const element = find(selector);
      if (!element) return;
      watcher.disconnect();
      then(element);
    });
    watcher.observe(document, { childList: true, subtree: true });
  };

  // -- the newest text ---------------------------------------------------------------------------

  const NEAR = 64; // pixels from the end that count as the end
  const FAR = 120; // pixels from the end at which the button appears
  const MOVES = ["wheel", "touchstart", "pointerdown", "keydown"];

  const follow = (chat) => {
    let following = true;
    let touching = false;
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
      if (following && !touching) chat.scrollTop = chat.scrollHeight;
      [at, tall] = [chat.scrollTop, chat.scrollHeight];
      offer();
    };
    const leave = () => {
      if (chat.scrollTop > 0) following = false;
    };
    const join = () => {
      following = true;
      settle();
    };
    // Any way up leaves; only the way down to the end comes back. A chat that got shorter goes up by itself
    // (an answer that is tried again) before `settle` hears of it: that is nobody's doing.
    chat.addEventListener("scroll", () => {
      const now = chat.scrollTop;
      if (now < at - 1 && rest() > 1 && chat.scrollHeight === tall) following = false;
      else if (now > at && rest() <= NEAR && !held) following = true;
      [at, tall] = [now, chat.scrollHeight];
      offer();
    }, { passive: true });
    chat.addEventListener("wheel", (event) => {
      if (event.deltaY < 0) leave();
      else if (!following && event.deltaY > rest()) join(); // else the end would run ahead of the wheel
    }, { passive: true });
    chat.addEventListener("touchstart", () => (touching = true), { passive: true });
    for (const end of ["touchend", "touchcancel"]) {
      chat.addEventListener(end, () => (touching = false), { passive: true });
    }
    chat.addEventListener("click", (event) => event.target.closest("summary") && leave());
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
      following = false;
      const end = () => {
        held = null;
        for (const kind of MOVES) removeEventListener(kind, end, true);
      };
      held?.();
      held = end;
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

  // -- keys ------------------------------------------------------------------------------------------

  // An Enter that ends a composition sends nothing.
  for (const kind of ["keydown", "keypress"]) {
    addEventListener(kind, (event) => {
      if (event.key === "Enter" && (event.isComposing || event.keyCode === 229)) event.stopPropagation();
    }, true);
  }
  // Gradio's dropdown opens at every key, and so at the Tab that leaves it, for ever (6.31).
  addEventListener("keydown", (event) => {
    if (event.key === "Tab" && event.target.matches?.('[role="combobox"]')) event.stopPropagation();
  }, true);
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing || event.defaultPrevented) return;
    if (find('[aria-expanded="true"][role="combobox"]')) return; // closes its list
    if (small.matches && find("#sidebar.open")) return void toggle();
    find("#question .stop-button")?.click();
  });

  // -- what goes on with the mouse goes on in the box; not on a touch screen, where it would call up a keyboard

  addEventListener("click", (event) => {
    if (!event.target.closest?.("#question .stop-button, #chat .example, #new")) return;
    if (matchMedia("(pointer: coarse)").matches) return;
    setTimeout(() => find("#question textarea")?.focus({ preventScroll: true }));
  });

  // -- the sidebar -------------------------------------------------------------------------------------

  const toggle = () => find("#sidebar .toggle-button")?.click();
  once("#sidebar.open .toggle-button", (button) => {
    const sidebar = find("#sidebar");
    const tell = () => button.setAttribute("aria-expanded", String(sidebar.classList.contains("open")));
    new MutationObserver(tell).observe(sidebar, { attributeFilter: ["class"] });
    tell();
    // Gradio opens it once it is in place, so not before the next frame.
    requestAnimationFrame(() => {
      if (small.matches) button.click();
      once("#question textarea", () => once("#chat .bubble-wrap", () =>
        requestAnimationFrame(() => (html.dataset.settled = ""))));
    });
    addEventListener("pointerdown", (event) => {
      const outside = small.matches && sidebar.classList.contains("open") && !sidebar.contains(event.target);
      if (outside) toggle();
    });
  });

  // The tab that was open is open again after a reload.
  const TAB = "runnel-tab";
  const tabs = () => [...document.querySelectorAll("#tabs [role=tab]")];
  const kept = (work) => {
    try {
      return work(sessionStorage);
    } catch {
      return null; // a browser that keeps nothing
    }
  };
  once("#tabs [role=tab] + [role=tab]", () => {
    const open = kept((store) => store.getItem(TAB));
    tabs().find((tab) => tab.textContent.trim() === open && tab.ariaSelected !== "true")?.click();
  });
  addEventListener("pagehide", () => {
    const open = tabs().find((tab) => tab.ariaSelected === "true");
    if (open) kept((store) => store.setItem(TAB, open.textContent.trim()));
  });

  // -- names and the first focus -----------------------------------------------------------------------

  const NAMES = {
    "#question textarea": "Your question",
    "#temperature-reset": "Back to the provider’s default temperature",
    "#new": "New chat",
  };
  for (const [selector, name] of Object.entries(NAMES)) {
    once(selector, (element) => element.setAttribute("aria-label", name));
  }
  once("#question textarea", (box) => (box.dir = "auto"));
  // Gradio puts the focus into the box as the page opens, and then the browser does; on a phone that
  // would call up the keyboard.
  once("#question textarea", (box) => {
    if (!matchMedia("(pointer: coarse)").matches) return;
    const away = () => box.blur();
    box.addEventListener("focus", away);
    // For as long as the page takes: until somebody touches it, or has a keyboard.
    for (const kind of ["pointerdown", "keydown"]) {
      addEventListener(kind, () => box.removeEventListener("focus", away), { capture: true, once: true });
    }
    away();
  });
  once("#chat .bubble-wrap", (chat) => {
    chat.setAttribute("aria-live", "off"); // the activity view says what happens; not each word
    follow(chat);
  });
})();
