// Which chat this tab shows: in `runnel.chat`, in the address (`?chat=…`), and in each thing that is sent.
// What is shown is read from the chat itself, whose lines name their run and chat by classes. Between
// scripts: `runnel-open` {chat, run?} asks for another one ("": an empty new one), `runnel-opened` {chat,
// run?} says that it is shown.
const runnel = (() => {
  const find = (selector) => document.querySelector(selector);
  const marks = () => [...document.querySelectorAll("#chat .prose > :is(.now, .fate, .seam)[class*='run-']")];
  const named = (node, what) => node?.className.match(new RegExp(`\\b${what}-(\\S+)`))?.[1] ?? "";
  const latest = () => named(marks().pop(), "run");
  const addressed = () => new URL(location).searchParams.get("chat") ?? "";
  const say = (name, detail) => dispatchEvent(new CustomEvent(name, { detail }));

  const APART = 60; // milliseconds

  let next = null; // what the click that is on its way means
  let last = null; // the last sending, for one that comes twice
  let waiting = null; // what is to be shown, and what becomes of the address then

  // Said before it is sent, in the server's words (chat/runs.py): it would not read so much.
  const tooLong = (question, values) => {
    for (const [what, place, most] of runnelMost) {
      const text = place === null ? question : values[place];
      if (typeof text !== "string" || text.length <= most) continue;
      let length = 0;
      for (const _ of text) length++;
      if (length <= most) continue;
      const number = (count) => count.toLocaleString("en-US");
      say("runnel-say", { text: `${what} has ${number(length)} characters, and ${number(most)} fit: shorten it.`, stays: true });
      return true;
    }
    return false;
  };

  const acts = []; // what is yet to be clicked; the first is on its way
  const click = () => {
    next = acts[0];
    find("#act")?.click();
    setTimeout(() => acts.shift() && acts.length && click(), APART);
  };
  const key = () => {
    const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is only there over https
    return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  const self = {
    chat: "",
    editing: "", // the run whose question is edited
    marks,
    named,
    latest,

    // What goes to the server with the page as it opens.
    arriving: () => ({ act: "arrive", chat: addressed() }),
    arrived() {
      if (waiting?.arriving) shown("");
    },

    // … and with anything else. While nothing has come of a sending, the same once more is the same.
    pack({ question = "", values }) {
      const { act, run = "", ...more } = next ?? (self.editing ? { act: "edit", run: self.editing } : { act: "ask" });
      next = null;
      const sends = ["ask", "edit", "again", "continue"].includes(act);
      if (!sends) return { chat: self.chat, ...more, act, run };
      if (tooLong(question, values)) return new Promise(() => {}); // ends Gradio's chain here
      if (self.chat && nowhere(self.chat)) self.chat = ""; // it is gone, and was said to be
      const twice = last?.question === question && last.act === act && last.run === run && last.before === latest();
      if (!twice) last = { question, chat: self.chat, act, run, key: key(), before: latest() };
      if (act === "edit") expect(null, "push");
      else if (!self.chat) expect(null, "replace");
      const { before, ...sent } = last;
      return { ...sent, values };
    },
    // Whether a sending began a run.
    async known(key) {
      try {
        const answer = await fetch(new URL(`state?chat=&key=${key}`, document.baseURI), { cache: "no-store" });
        return (await answer.json()).arrived;
      } catch {
        return false;
      }
    },
    // The last sending, to be remembered beyond this page, and remembered.
    sending: () => last,
    resume: (sending) => (last = sending),

    // A click on a hidden button, and what it means. Gradio packs it and reads it again a moment later, so
    // the next one has to wait for that.
    act(means) {
      acts.push(means);
      if (acts.length === 1) click();
    },
  };

  // -- what is shown: looked for only until it is there, never while an answer is drawn -----------------

  const watcher = new MutationObserver(() => look());

  // The page says that there is no such chat (`sent.py` takes what cannot be an id for “?”).
  const nowhere = (id) => find(`#chat .nowhere.of-${CSS.escape(/^[\w.-]{1,64}$/.test(id) ? id : "?")}`) !== null;
  const drawn = () => {
    const wanted = waiting.arriving ? addressed() : waiting.chat;
    if (wanted && nowhere(wanted)) return "";
    const id = named(marks().pop(), "chat");
    if (waiting.chat === null) return id && id !== waiting.before ? id : null;
    return id === waiting.chat && (id || !marks().length) ? id : null;
  };
  const look = () => {
    const id = waiting && drawn();
    if (id !== null) shown(id);
  };
  const shown = (id) => {
    const { how, run, settle } = waiting;
    waiting = null;
    watcher.disconnect();
    self.chat = id;
    address(nowhere(addressed()) ? "replace" : how);
    if (settle) find("#settle")?.click();
    say("runnel-opened", { chat: id, run });
  };
  const address = (how) => {
    if (addressed() === self.chat) return;
    const url = new URL(location);
    if (self.chat) url.searchParams.set("chat", self.chat);
    else url.searchParams.delete("chat");
    history[how === "push" ? "pushState" : "replaceState"](null, "", url);
  };
  const expect = (chat, how, more = {}) => {
    waiting = { chat, how, before: self.chat, run: "", ...more };
    watcher.observe(find("#chat") ?? document, { childList: true, subtree: true });
    look();
  };

  addEventListener("runnel-open", ({ detail }) => {
    const { chat = "", run = "", how = "push" } = detail ?? {};
    if (chat && chat === self.chat && !waiting) return void say("runnel-opened", { chat, run });
    last = null; // the same words in another chat are another question
    self.act({ act: "open", chat, run });
    expect(chat, how, { run, settle: true });
  });
  addEventListener("popstate", () => {
    if (addressed() !== self.chat) say("runnel-open", { chat: addressed(), how: "replace" });
  });
  expect(null, "replace", { arriving: true });
  return self;
})();
