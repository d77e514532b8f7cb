// Keeps an open page up to date with what went on without it: an answer begun in another tab, a line
// that died, models that arrived, a list of chats that moved (`runnel-chats`). It asks /state now and then,
// while somebody looks, and clicks the page's hidden buttons. Two looks in a row have to agree, so that a
// page that is just about to show something is left alone. Two failures in a row mean that the server is
// away: `html.away`, for draft.js. While the menu of models is open it looks more often: a server on this machine
// may have been started for it. Gradio's front end is dead once a request of its own has failed (6.31):
// then the page is loaded again as soon as the server answers. Who is not signed in any more is told so, and
// sends nothing.
(() => {
  const PERIOD = 3000, CHOOSING = 1000, SOON = 600, FIRST = 150, LONGEST = 3000; // milliseconds
  const AWAY = "Offline: the server cannot be reached. Trying again; what you type stays here.";
  const OUT = "You are not signed in any more. Load the page again to sign in; what you type stays here.";
  let models = null, offered = 0, chats = null, length = 0, drawn = "", missed = 0, failed = 0, timer = 0, trouble = "", name = "", out = false, looking = false;

  const run = (mark) => runnel.named(mark, "run");
  const say = (name, detail) => dispatchEvent(new CustomEvent(name, { detail }));
  // A page that is being left loses its connections too; loaded again here, it would come twice.
  const LEAVING = 5000; // milliseconds: if nothing came of it (a file was saved), it is no longer being left
  let left = -LEAVING;
  addEventListener("beforeunload", () => (left = performance.now()));

  // Gradio says it in a toast, which box.css hides.
  const lost = () => document.querySelector(".toast-wrap .error")?.textContent.includes("Connection to the server");

  const menu = () => document.querySelector('#model input[aria-expanded="true"]');

  async function look() {
    const chat = runnel.chat;
    const choosing = menu() ? "&choosing=1" : "";
    const response = await fetch(new URL(`state?chat=${encodeURIComponent(chat)}${choosing}`, document.baseURI), {
      cache: "no-store",
      signal: AbortSignal.timeout(LONGEST),
    });
    if (response.status >= 500) throw new Error("away"); // a proxy speaks in its place
    failed = 0;
    const was = out;
    out = response.status === 401;
    if (out) return; // loaded again, what is shown would be gone
    if ((was || lost()) && performance.now() > left + LEAVING) return void location.reload(); // somebody is signed in again: perhaps somebody else
    if (!response.ok) return;
    const state = await response.json();
    // Not fewer while the menu is open: Gradio would look up its lines in the new list, and throw.
    const fewer = models !== null && state.offered < offered && document.activeElement?.closest("#model");
    if (models !== null && state.models !== models && !fewer) document.getElementById("refresh")?.click();
    if (!fewer) [models, offered] = [state.models, state.offered];
    if (chats !== null && state.chats !== chats) say("runnel-chats");
    chats = state.chats;
    trouble = state.trouble;
    name ||= document.title; // empty until Gradio has begun
    const title = state.title ? `${state.title} · ${name}` : name;
    if (name && chat === runnel.chat && document.title !== title) document.title = title;
    if (chat !== runnel.chat || (chat && !state.chat)) return; // another one by now; or it was deleted

    const mark = runnel.marks().pop();
    const live = mark?.classList.contains("now") ?? false;
    const text = mark?.closest(".message-row")?.textContent ?? "";
    const elsewhere = run(mark) !== state.run || (state.running && !live);
    const dead = live && (!state.running || (state.length > length && text === drawn));
    length = state.length;
    drawn = text;
    missed = elsewhere || dead ? missed + 1 : 0;
    if (missed < 2) return;
    missed = 0;
    runnel.act({ act: "" });
  }

  async function again() {
    if (looking) return; // two at once would agree with one another
    clearTimeout(timer);
    if (document.hidden) return;
    looking = true;
    try {
      await look();
    } catch {
      missed = 0;
      failed += 1;
    }
    looking = false;
    const away = failed > 1 || out;
    document.documentElement.classList.toggle("away", away);
    say("runnel-stand", { text: out ? OUT : away ? AWAY : trouble });
    say("runnel-looked");
    clearTimeout(timer);
    timer = setTimeout(again, lost() && failed < 4 ? FIRST : missed || failed ? SOON : menu() ? CHOOSING : PERIOD);
  }

  document.addEventListener("visibilitychange", again);
  addEventListener("focusin", (event) => event.target.closest?.("#model") && requestAnimationFrame(again));
  addEventListener("runnel-sent", () => {
    clearTimeout(timer);
    timer = setTimeout(again, SOON); // it may not arrive
  });
  // At once, not at the next look.
  const toasts = new MutationObserver(() => lost() && again());
  const begin = new MutationObserver(() => {
    const wrap = document.querySelector(".toast-wrap");
    if (!wrap) return;
    begin.disconnect();
    toasts.observe(wrap, { childList: true });
  });
  begin.observe(document, { childList: true, subtree: true });
  again();
})();
