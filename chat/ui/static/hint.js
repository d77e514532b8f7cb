// One quiet line under the box. `runnel-say` {text, stays?} shows a sentence for a while, or until somebody
// types; `runnel-stand` {text} one that stays until it is another ("" for none).
(() => {
  const MOMENT = 4000; // milliseconds
  let standing = "", passing = "", staying = false, timer = 0;

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
  const pass = () => {
    passing = "";
    staying = false;
    draw();
  };
  addEventListener("input", () => staying && pass(), true);
  addEventListener("runnel-opened", () => staying && pass());
  addEventListener("runnel-say", ({ detail }) => {
    clearTimeout(timer);
    passing = detail.text;
    staying = detail.stays ?? false;
    if (!staying) timer = setTimeout(pass, MOMENT);
    draw();
  });
  addEventListener("runnel-stand", ({ detail }) => {
    standing = detail.text;
    draw();
  });
})();
