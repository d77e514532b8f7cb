// What can be done with an answer and a question: the small buttons that `fates` and `bubbles` put below
// them, and the links to other chats. One listener for all; a button says by its classes what it does and
// to which run. Only those of our own lines count, each of which is a block by itself: what a model's words
// came to be, deeper in an answer, does nothing. Nothing here is at work while an answer is drawn.
(() => {
  const { named } = runnel;
  const find = (selector) => document.querySelector(selector);
  const box = () => find("#question textarea");
  const OWN = "#chat .prose > :is(.fate, .seam, .asking, .above)";

  const say = (text) => dispatchEvent(new CustomEvent("runnel-say", { detail: { text } }));

  // -- thumbs: shown at once, taken back when they could not be kept ------------------------------------

  const press = (line) => {
    for (const each of line.querySelectorAll(".up, .down")) {
      each.setAttribute("aria-pressed", String(each.classList.contains("chosen")));
    }
  };
  const rate = async (button, run) => {
    const up = button.classList.contains("up");
    const chosen = button.classList.contains("chosen");
    const line = button.closest(".actions");
    const before = line.querySelector(".chosen");
    const choose = (one) => {
      for (const each of line.querySelectorAll(".up, .down")) {
        each.classList.toggle("chosen", each === one);
        each.title = each.title.split(",")[0] + (each === one ? ", marked" : ""); // as in fates.py
      }
    };
    choose(chosen ? null : button);
    press(line);
    try {
      const answer = await fetch(new URL(`runs/${run}/thumb`, document.baseURI), {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ thumb: chosen ? 0 : up ? 1 : -1 }),
      });
      if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error);
    } catch (error) {
      choose(before);
      press(line);
      say(error instanceof TypeError ? "Your mark could not be kept: the server cannot be reached." : error.message || "Your mark could not be kept.");
    }
  };

  // -- editing an earlier question -----------------------------------------------------------------------

  const edit = (run, text) => {
    runnel.editing = run;
    let line = find("#editing");
    if (!line) {
      line = document.createElement("p");
      line.id = "editing";
      const cancel = document.createElement("button");
      cancel.type = "button";
      cancel.textContent = "Cancel";
      cancel.addEventListener("click", leave);
      line.append("Editing an earlier question: sending begins a new chat. ", cancel);
      find("#question").prepend(line);
    }
    if (text !== undefined) put(text);
    box().focus();
  };
  const leave = () => {
    put("");
    over();
    if (!matchMedia("(pointer: coarse)").matches) box().focus({ preventScroll: true });
  };
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing || !runnel.editing || event.target !== box()) return;
    event.preventDefault(); // else it would stop an answer too
    leave();
  }, true);
  const over = () => {
    runnel.editing = "";
    find("#editing")?.remove();
  };
  const put = (text) => {
    box().value = text;
    box().dispatchEvent(new Event("input", { bubbles: true })); // Gradio reads it from there
  };
  // What was typed, with its line breaks.
  const asked = (button) => {
    const words = button.closest(".message-row").querySelector(".asked").cloneNode(true);
    for (const line of words.querySelectorAll("br")) line.replaceWith("\n");
    return words.textContent;
  };
  addEventListener("runnel-edit", ({ detail }) => edit(detail.run));
  addEventListener("runnel-opened", over);

  // -- the one listener ------------------------------------------------------------------------------------

  const activity = () => {
    const tab = [...document.querySelectorAll("#tabs [role=tab]")].find((each) => each.textContent.trim() === "Activity");
    if (tab && tab.getAttribute("aria-selected") !== "true") tab.click();
    if (!find("#sidebar.open")) find("#sidebar .toggle-button")?.click();
  };

  addEventListener("click", (event) => {
    const button = event.target.closest?.(`${OWN} :is(.act, .link)`);
    if (!button) return;
    event.preventDefault();
    const run = named(button, "of");
    const kind = button.classList[1];
    if (button.classList.contains("link")) {
      dispatchEvent(new CustomEvent("runnel-open", { detail: { chat: named(button, "chat"), run } }));
    } else if (kind === "edit") {
      edit(run, asked(button));
    } else if (document.documentElement.classList.contains("away")) {
      say("That has to wait until the server can be reached.");
    } else if (kind === "up" || kind === "down") {
      rate(button, run);
    } else if (kind === "look") {
      activity();
      runnel.act({ act: kind, run });
    } else if (document.documentElement.classList.contains("away")) {
      say("The server cannot be reached: this can be done when it is back.");
    } else if (!find("#chat .now") || kind === "earlier") {
      dispatchEvent(new Event(kind === "earlier" ? "runnel-keep" : "runnel-join"));
      runnel.act({ act: kind, run });
    }
  });

  // What Gradio's sanitizer would have taken from the markup, said when it is wanted: whether a thumb is
  // pressed, and of another model than the one that answered, which.
  const name = (event) => {
    const thumb = event.target.closest?.(`${OWN} :is(.up, .down)`);
    if (thumb) press(thumb.closest(".actions"));
    const button = event.target.closest?.(`${OWN} .act.again`);
    if (!button) return;
    const chosen = find("#model input")?.value ?? "";
    const model = button.closest(".fate").querySelector(".footer span")?.textContent ?? "";
    const words = chosen && chosen !== model ? `Try again with ${chosen}` : "Try again";
    if (button.title !== words) button.title = words;
  };
  for (const kind of ["pointerover", "focusin"]) addEventListener(kind, name);
})();
