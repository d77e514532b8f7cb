// What is typed outlives the server: while it is away (`html.away`, from follow.js) nothing is sent, a
// question that did not arrive returns to the box, and a reload keeps what stands there. Gradio itself is
// dead once a request has failed, and loads the page again when the server answers (6.31).
(() => {
  const KEY = "runnel-draft";
  const AWAY = "The server cannot be reached. Trying again; your question stays here.";
  const BUSY = "An answer is being written: Esc stops it.";
  const html = document.documentElement;
  const touch = matchMedia("(pointer: coarse)");
  const find = (selector) => document.querySelector(selector);
  const box = () => find("#question textarea");
  const shown = () => [...document.querySelectorAll("#chat [class*='run-']")].pop()?.className ?? "";
  const run = () => shown().match(/\brun-(\S+)/)?.[1] ?? "";
  let sent = null; // { text, before }: a question on its way, and the last run when it went
  let restored = false;

  const put = (text) => {
    const element = box();
    if (!element || element.value === text) return;
    element.value = text;
    element.dispatchEvent(new Event("input", { bubbles: true })); // Gradio reads it from there
  };
  const arrived = () => {
    if (!sent || run() === sent.before) return;
    if (restored && box()?.value === sent.text) put("");
    sent = null;
    restored = false;
    html.classList.remove("unsent");
  };

  let fading = 0;
  const say = (text, milliseconds) => {
    const place = find("#question");
    if (!place) return;
    let line = find("#hint");
    if (!line) {
      line = document.createElement("p");
      line.id = "hint";
      line.setAttribute("role", "status");
      place.append(line);
    }
    clearTimeout(fading);
    if (line.textContent !== text) line.textContent = text;
    if (milliseconds) fading = setTimeout(() => (line.textContent = ""), milliseconds);
  };

  // Before Gradio hears of it.
  const sending = (event) => {
    const text = box()?.value ?? "";
    if (html.classList.contains("away")) {
      event.preventDefault();
      event.stopPropagation();
    } else if (find("#chat .now")) {
      if (text.trim()) say(touch.matches ? "An answer is being written." : BUSY, 4000);
    } else if (text.trim()) {
      sent = { text, before: run() };
      restored = false;
      html.classList.remove("unsent");
      dispatchEvent(new Event("runnel-sent"));
    }
  };
  addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    if (event.target === box()) sending(event);
  }, true);
  addEventListener("keypress", (event) => {
    if (event.key === "Enter" && !event.shiftKey && event.target === box() && html.classList.contains("away")) {
      event.preventDefault();
      event.stopPropagation();
    }
  }, true);
  addEventListener("click", (event) => {
    if (event.target.closest?.("#question .submit-button")) sending(event);
    if (event.target.closest?.("#new")) sent = null;
  }, true);
  addEventListener("input", (event) => {
    if (event.isTrusted && event.target === box()) sent = restored ? null : sent;
  }, true);

  // follow.js looked: the server is there, or it is not.
  addEventListener("runnel-looked", () => {
    arrived();
    const away = html.classList.contains("away");
    if (away) say(AWAY);
    else if (find("#hint")?.textContent === AWAY) say("");
    if (!away || !sent || restored) return;
    restored = true;
    html.classList.add("unsent");
    if (!box()?.value) put(sent.text);
  });

  addEventListener("pagehide", () => {
    arrived();
    const text = box()?.value || sent?.text || "";
    try {
      if (text) sessionStorage.setItem(KEY, text);
    } catch {
      // no storage, no draft
    }
  });
  const back = () => {
    let text = null;
    try {
      text = sessionStorage.getItem(KEY);
      sessionStorage.removeItem(KEY);
    } catch {
      return;
    }
    if (text && !box().value) put(text);
  };
  const ready = new MutationObserver(() => {
    if (!box() || !("settled" in html.dataset)) return;
    ready.disconnect();
    back();
  });
  ready.observe(document, { childList: true, subtree: true, attributeFilter: ["data-settled"] });
})();
