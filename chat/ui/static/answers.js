// Draws each answer of the chat from the words that `bubbles` sends in an element that is not shown. Code is
// coloured by the Prism and formulas are drawn by the KaTeX that Gradio brings; what either cannot do stays
// as it was written. Gradio's own Markdown is off: see gradio_fixes, 22.
(() => {
  const asset = (name) => new URL(`assets/${name}`, document.baseURI).href;

  // -- code -----------------------------------------------------------------------------------------

  const LONGEST = 50_000, GROWING = 10_000; // characters of code that are coloured; at each frame while they come
  const NAMES = {
    "c++": "cpp", cc: "cpp", cxx: "cpp", hpp: "cpp", "h++": "cpp", h: "c", arduino: "cpp", ino: "cpp",
    py: "python", python3: "python", pycon: "python", sh: "bash", shell: "bash", zsh: "bash", console: "bash",
    "shell-session": "bash", yml: "yaml", jsonc: "json", json5: "json", jsonl: "json", golang: "go", rs: "rust",
    tex: "latex", jsx: "javascript", mjs: "javascript", cjs: "javascript", tsx: "typescript", vue: "markup",
    svelte: "markup", xhtml: "markup", mysql: "sql", postgresql: "sql", sqlite: "sql", scss: "css", less: "css",
  };
  const NEEDS = { cpp: ["c"], php: ["markup-templating"] };
  const loading = new Map();

  /** A language of Prism's, after those that it extends; what cannot be loaded is not asked for again. */
  function load(name) {
    if (!Object.hasOwn(runnelAssets.prism, name)) return null;
    if (!loading.has(name)) {
      const first = Promise.all((NEEDS[name] ?? []).map(load));
      loading.set(name, first.then(() => import(asset(runnelAssets.prism[name]))));
    }
    return loading.get(name);
  }

  const nodes = (tokens) =>
    (Array.isArray(tokens) ? tokens : [tokens]).map((token) => {
      if (typeof token === "string") return token;
      const node = Words.make("span", nodes(token.content));
      node.className = ["token", token.type, ...[token.alias ?? []].flat()].join(" ");
      return node;
    });

  function colour(code, name) {
    const text = code.textContent, grammar = Prism.languages[name];
    const about = { code: text, grammar, language: name };
    Prism.hooks.run("before-tokenize", about);
    about.tokens = Prism.tokenize(about.code, about.grammar);
    Prism.hooks.run("after-tokenize", about);
    const made = Words.make("code", nodes(about.tokens));
    if (made.textContent === text) code.replaceChildren(...made.childNodes);
  }

  Markdown.paint = (code, language, whole) => {
    if (!window.Prism || code.textContent.length > (whole ? LONGEST : GROWING)) return;
    const name = Object.hasOwn(NAMES, language) ? NAMES[language] : language;
    const known = () => Object.hasOwn(Prism.languages, name) && typeof Prism.languages[name] === "object";
    const paint = () => {
      try {
        if (known()) colour(code, name);
      } catch (error) {
        console.warn(`Code in ${name} is shown without colours.`, error);
      }
    };
    if (known()) paint();
    else load(name)?.then(paint, () => {});
  };

  // -- formulas -------------------------------------------------------------------------------------

  const OPTIONS = { throwOnError: true, strict: "ignore", trust: false, maxSize: 20, maxExpand: 500 };
  const drawn = new Map(); // what was drawn: while an answer comes, its last formulas are asked for again and again
  let katex = null;

  function formula(node, tex, display) {
    const name = `${display}${tex}`;
    let made = drawn.get(name);
    if (made === undefined) {
      made = document.createElement("span");
      try {
        katex.render(tex, made, { ...OPTIONS, displayMode: display });
      } catch {
        made = null; // no formula after all, or one that is not known: its source is readable
      }
      if (drawn.size > 500) drawn.clear();
      drawn.set(name, made);
    }
    if (made) node.replaceChildren(...made.cloneNode(true).childNodes);
  }

  let waiting = null;
  Words.draw = (node, tex, display) => {
    if (katex) return formula(node, tex, display);
    if (waiting) return void waiting.push([node, tex, display]);
    waiting = [[node, tex, display]];
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = asset(runnelAssets.katex.css);
    document.head.append(sheet);
    import(asset(runnelAssets.katex.js)).then((module) => {
      katex = module.default;
      for (const each of waiting) formula(...each);
    }, () => {});
  };

  // -- answers --------------------------------------------------------------------------------------

  const drawings = new WeakMap();

  function draw(row) {
    const sources = [...row.querySelectorAll(".md > .said")], running = row.querySelector(".md > .prose > .now") !== null;
    sources.forEach((source, at) => {
      const holder = source.parentElement;
      let place = holder.querySelector(":scope > .answer");
      if (!place) {
        place = document.createElement("div");
        place.className = "prose answer";
        place.dataset.answer = "";
        holder.prepend(place);
        drawings.set(place, new Drawing(place));
      }
      if (source.firstChild) {
        source.words = source.textContent;
        source.replaceChildren(); // else each word would be on the page twice
      }
      drawings.get(place).draw(source.words ?? "", !running || at < sources.length - 1);
    });
  }

  // -- on paper -------------------------------------------------------------------------------------

  const folded = new Set();
  addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("#chat .answer details:not([open])")) {
      folded.add(fold);
      fold.open = true;
    }
    // print.css writes the address behind a link, unless it is what the link says.
    for (const link of document.querySelectorAll("#chat .answer a")) {
      const bare = (text) => text.replace(/^https?:\/\/|\/$/g, "");
      link.classList.toggle("bare", bare(link.textContent) === bare(link.href));
    }
  });
  addEventListener("afterprint", () => {
    for (const fold of folded) fold.open = false;
    folded.clear();
  });

  // -------------------------------------------------------------------------------------------------

  new MutationObserver((changes) => {
    const rows = new Set();
    for (const { target } of changes) {
      if (target.classList?.contains("md")) rows.add(target.closest("#chat .message-row"));
    }
    rows.delete(null);
    rows.forEach(draw);
  }).observe(document, { childList: true, subtree: true });
})();
