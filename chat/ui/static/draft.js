// What is typed outlives the server: while it is away (`html.away`, from follow.js) nothing is sent, a
// question that did not arrive returns to the box, and a reload keeps what stands there, with the key of
// its sending: sent once more, it is the same one (place.js).
(() => {
  const KEY = "runnel-draft";
  const BUSY = "An answer is being written: Esc stops it.";
  const html = document.documentElement;
  const touch = matchMedia("(pointer: coarse)");
  const find = (selector) => document.querySelector(selector);
  const box = () => find("#question textarea");
  const say = (text) => dispatchEvent(new CustomEvent("runnel-say", { detail: { text } }));
  let sent = null; // { text, before }: a question on its way, and the last run when it went
  let restored = false;

  const put = (text) => {
    const element = box();
    if (!element || element.value === text) return;
    element.value = text;
    element.dispatchEvent(new Event("input", { bubbles: true })); // Gradio reads it from there
  };
  const arrived = () => {
    if (!sent || runnel.latest() === sent.before) return;
    if (restored && box()?.value === sent.text) put("");
    sent = null;
    restored = false;
    html.classList.remove("unsent");
  };

  // Before Gradio hears of it.
  const sending = (event) => {
    const text = box()?.value ?? "";
    if (html.classList.contains("away")) {
      event.preventDefault();
      event.stopPropagation();
    } else if (find("#chat .now")) {
      if (text.trim()) say(touch.matches ? "An answer is being written." : BUSY);
    } else if (text.trim()) {
      sent = { text, before: runnel.latest() };
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
  }, true);
  addEventListener("runnel-open", () => (sent = null));
  addEventListener("input", (event) => {
    if (event.isTrusted && event.target === box()) sent = restored ? null : sent;
  }, true);

  // follow.js looked: the server is there, or it is not.
  addEventListener("runnel-looked", () => {
    arrived();
    if (!html.classList.contains("away") || !sent || restored) return;
    restored = true;
    html.classList.add("unsent");
    if (!box()?.value) put(sent.text);
  });

  addEventListener("pagehide", () => {
    arrived();
    const text = box()?.value || sent?.text || "";
    const draft = { text, sending: runnel.sending(), editing: runnel.editing };
    try {
      if (text) sessionStorage.setItem(KEY, JSON.stringify(draft));
    } catch {
      // no storage, no draft
    }
  });

  // Once it is known what the page shows.
  addEventListener("runnel-opened", async () => {
    let draft = null;
    try {
      draft = JSON.parse(sessionStorage.getItem(KEY));
      sessionStorage.removeItem(KEY);
    } catch {
      return;
    }
    if (!draft?.text) return;
    const { text, sending, editing } = draft;
    if (sending?.question === text) {
      if (await runnel.known(sending.key)) return;
      runnel.resume({ ...sending, before: runnel.latest() });
    }
    if (editing) dispatchEvent(new CustomEvent("runnel-edit", { detail: { run: editing } }));
    if (!box().value) put(text);
  }, { once: true });
})();
