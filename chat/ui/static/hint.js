// One quiet line under the box. `runnel-say` {text} shows a sentence for a while; `runnel-stand` {text} one
// that stays until it is another ("" for none).
(() => {
  const MOMENT = 4000; // milliseconds
  let standing = "", passing = "", timer = 0;

  const draw = () => {
    const place = document.querySelector("#question");
    if (!place) return;
    let line = document.querySelector("#hint");
    if (!line) {
      line = document.createElement("p");
      line.id = "hint";
      line.setAttribute("role", "status");
      place.append(line);
    }
    const text = passing || standing;
    if (line.textContent !== text) line.textContent = text;
  };
  addEventListener("runnel-say", ({ detail }) => {
    clearTimeout(timer);
    passing = detail.text;
    timer = setTimeout(() => {
      passing = "";
      draw();
    }, MOMENT);
    draw();
  });
  addEventListener("runnel-stand", ({ detail }) => {
    standing = detail.text;
    draw();
  });
})();
