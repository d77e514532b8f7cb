// What Gradio's copy buttons put on the clipboard is what `bubbles` made for the eye. This gives the words
// back: the question as it was typed, or what the model wrote, without the lines of our own below it.
(() => {
  const SAID = '<div class="said">', OWN = '<div class="prose">', ASKED = '<div class="asked">';
  const reader = document.createElement("textarea"); // in which nothing is more than text
  const plain = (text) => {
    reader.innerHTML = text;
    return reader.textContent;
  };

  const words = (value) => {
    if (value.startsWith(OWN + ASKED)) {
      return plain(value.slice(OWN.length + ASKED.length, value.indexOf("</div>")).replaceAll("<br>", "\n"));
    }
    // No text of a model's has a sign that begins an element: those are of `bubbles`.
    const parts = value.split(/(?:^|\n)(?=<div class="(?:said|prose)">)/);
    const said = parts.filter((part) => part.startsWith(SAID)).map((part) => plain(part.slice(SAID.length)));
    return said.length || value.startsWith(OWN) ? said.join("\n\n") : value;
  };

  const writeText = (text) => Clipboard.put(words(text));
  if (navigator.clipboard) navigator.clipboard.writeText = writeText;
  else Object.defineProperty(navigator, "clipboard", { value: { writeText } });
})();
