// What the page needs and Gradio does not do: Esc, a sidebar that starts closed on small screens, names for
// what has only an icon. Runs from `head`, before Gradio has drawn anything.
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

  // Gradio's lists fly in and out by `Element.animate` (Svelte 5), which no style sheet can stop.
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const { animate } = Element.prototype;
  Element.prototype.animate = function (keyframes, options) {
    if (calm.matches) options = { ...(typeof options === "number" ? {} : options), duration: 0 };
    return animate.call(this, keyframes, options);
  };

  // -- keys ------------------------------------------------------------------------------------------

  // An Enter that ends a composition sends nothing.
  for (const kind of ["keydown", "keypress"]) {
    addEventListener(kind, (event) => {
      if (event.key === "Enter" && (event.isComposing || event.keyCode === 229)) event.stopPropagation();
    }, true);
  }
  // Where there is no key beside it to hold down, Return makes a new line, and Send sends. Ctrl and Cmd send.
  // A keyboard on the screen comes when the box is touched; on a device that nobody touched, it is a real one.
  const touch = matchMedia("(hover: none) and (pointer: coarse)");
  let touched = false;
  addEventListener("pointerdown", (event) => { touched = event.pointerType === "touch"; }, true);
  for (const kind of ["keydown", "keypress"]) {
    addEventListener(kind, (event) => {
      if (event.key !== "Enter" || event.ctrlKey || event.metaKey || !touch.matches || !touched) return;
      if (event.target.matches?.("#question textarea")) event.stopImmediatePropagation();
    }, true);
  }
  // Gradio's dropdown opens at every key, and so at the Tab that leaves it, for ever (6.31).
  addEventListener("keydown", (event) => {
    if (event.key === "Tab" && event.target.matches?.('[role="combobox"]')) event.stopPropagation();
  }, true);
  // Esc takes back what was typed into it.
  let chosen = "";
  addEventListener("focusin", ({ target }) => {
    if (target.matches?.('[role="combobox"]')) chosen = target.value;
  });
  addEventListener("keydown", ({ key, isComposing, target }) => {
    if (key !== "Escape" || isComposing || !target.matches?.('[role="combobox"]') || target.value === chosen) return;
    target.value = chosen;
    target.dispatchEvent(new Event("input", { bubbles: true })); // Gradio reads it from there
  }, true);
  // After Esc, or a choice, its list opened only to who came anew (6.31).
  const reopen = (event) => {
    const field = event.target.closest?.('[role="combobox"]');
    if (!field || field !== document.activeElement || field.getAttribute("aria-expanded") === "true") return;
    field.blur();
    field.focus();
  };
  addEventListener("pointerdown", reopen, true);
  addEventListener("keydown", (event) => ["ArrowDown", "ArrowUp"].includes(event.key) && reopen(event), true);
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing || event.defaultPrevented) return;
    if (find('[aria-expanded="true"][role="combobox"]')) return; // closes its list
    if (small.matches && find("#sidebar.open")) return void toggle();
    find("#question .stop-button")?.click();
  });

  // -- what goes on with the mouse goes on in the box; not on a touch screen, where it would call up a keyboard

  addEventListener("click", (event) => {
    if (!event.target.closest?.("#question .stop-button, #chat .example, #new")) return;
    if (matchMedia("(pointer: coarse)").matches || !getSelection().isCollapsed) return;
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
    // For as long as the page takes: until somebody touches it, has a keyboard, or speaks into the box.
    for (const kind of ["pointerdown", "keydown", "input"]) {
      addEventListener(kind, () => box.removeEventListener("focus", away), { capture: true, once: true });
    }
    away();
  });
  once("#chat .bubble-wrap", (chat) => chat.setAttribute("aria-live", "off")); // live.js says what happens; not each word
})();
