// What Gradio's copy buttons put on the clipboard is what `bubbles` made for the eye. This gives the words
// back: without the lines of our own below an answer, and with the signs that stood for others undone.
(() => {
  const clipboard = navigator.clipboard; // not there where the page is neither local nor https
  if (!clipboard) return;
  const write = clipboard.writeText.bind(clipboard);
  const SIGNS = { "&lt;": "<", "&#36;": "$", "&#40;": "(", "&#91;": "[" };

  const words = (text) => {
    const asked = text.match(/^<div class="asked">([^]*?)<\/div>/);
    if (asked) {
      const page = new DOMParser().parseFromString(asked[1].replaceAll("<br>", "\n"), "text/html");
      return page.body.textContent;
    }
    return text
      .replace(/((^|\n)<div class="(seam|fate|now) [^\n]*)+$/, "")
      .replace(/&lt;|&#36;|&#40;|&#91;/g, (sign) => SIGNS[sign]);
  };
  clipboard.writeText = (text) => write(words(text));
})();
