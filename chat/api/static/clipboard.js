// Puts words on the clipboard, also where scripts have none: on plain http, or in a frame that may not use it.
// There a hidden field is copied from. And the button of each block of code.
const Clipboard = (() => {
  const given = navigator.clipboard?.writeText.bind(navigator.clipboard);

  function byField(text) {
    const field = document.createElement("textarea"), focus = document.activeElement;
    // What is put there is said as the browser copies: a field would change its line ends.
    const say = (event) => {
      event.clipboardData.setData("text/plain", text);
      event.preventDefault();
    };
    field.value = text || " ";
    field.style.cssText = "position:fixed;opacity:0";
    document.body.append(field);
    field.select();
    document.addEventListener("copy", say, { once: true, capture: true });
    const copied = document.execCommand("copy");
    document.removeEventListener("copy", say, { capture: true });
    field.remove();
    focus?.focus({ preventScroll: true });
    if (!copied) throw new Error("The browser does not let this page copy.");
  }

  const put = async (text) => {
    try {
      if (given) return await given(text);
    } catch {} // not allowed
    byField(text);
  };

  const SHOWN = 2000; // milliseconds
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-answer] .copy_code_button");
    if (!button) return;
    event.stopPropagation(); // Gradio copies what stands around such a button
    // Without the last line break: pasted into a terminal, it would run at once.
    await put(button.parentElement.querySelector("code").textContent.replace(/\n$/, ""));
    button.setAttribute("aria-label", "Copied");
    setTimeout(() => button.setAttribute("aria-label", "Copy code"), SHOWN);
  }, true);

  return { put };
})();
