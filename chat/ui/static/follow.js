// Keeps an open page up to date with what went on without it: an answer begun in another tab, a line
// that died, models that arrived. It asks /state now and then, while somebody looks, and clicks the
// page's hidden buttons. Two looks in a row have to agree, so that a page that is just about to show
// something is left alone. Two failures in a row mean that the server is away: `html.away`, for draft.js.
(() => {
  const PERIOD = 3000, SOON = 600, LONGEST = 5000; // milliseconds
  let models = null, length = 0, drawn = "", missed = 0, failed = 0, timer = 0;

  // Gradio's sanitizer leaves no attribute but the class.
  const last = () => [...document.querySelectorAll("#chat [class*='run-']")].pop();
  const run = (mark) => mark?.className.match(/\brun-(\S+)/)?.[1] ?? "";
  const click = (id) => document.getElementById(id)?.click();

  async function look() {
    const response = await fetch(new URL("state", document.baseURI), {
      cache: "no-store",
      signal: AbortSignal.timeout(LONGEST),
    });
    if (response.status >= 500) throw new Error("away"); // a proxy speaks in its place
    failed = 0;
    if (!response.ok) return;
    const state = await response.json();
    if (models !== null && state.models !== models) click("refresh");
    models = state.models;

    const mark = last();
    const live = mark?.classList.contains("now") ?? false;
    const text = mark?.closest(".message-row")?.textContent ?? "";
    const elsewhere = run(mark) !== state.run || (state.running && !live);
    const dead = live && (!state.running || (state.length > length && text === drawn));
    length = state.length;
    drawn = text;
    missed = elsewhere || dead ? missed + 1 : 0;
    if (missed < 2) return;
    missed = 0;
    click("follow");
  }

  async function again() {
    clearTimeout(timer);
    if (document.hidden) return;
    try {
      await look();
    } catch {
      missed = 0;
      failed += 1;
    }
    document.documentElement.classList.toggle("away", failed > 1);
    dispatchEvent(new Event("runnel-looked"));
    clearTimeout(timer);
    timer = setTimeout(again, missed || failed ? SOON : PERIOD);
  }

  document.addEventListener("visibilitychange", again);
  addEventListener("runnel-sent", () => {
    clearTimeout(timer);
    timer = setTimeout(again, SOON); // it may not arrive
  });
  again();
})();
