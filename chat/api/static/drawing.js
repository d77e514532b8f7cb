// Draws an answer while it grows. What has been drawn stays: only the blocks that changed are made anew, and
// of these only what differs is put in place, so that a selection, a fold and a scrolled block of code are
// left as a reader has them. What cannot be told yet (half a formula, half a table, half a link) is held
// back until it can. Used by the page (chat/ui/static/answers.js) and by /embed (bubble.js).
class Drawing {
  #text = "";
  #blocks = []; // of each: its source, its nodes, where it starts
  #defines = false;
  #context = "";
  #over = null;
  #place;
  #shift;
  #said = [];

  /** @param {Element} place whose children are the answer's @param {number} shift of its headings */
  constructor(place, shift = 0) {
    this.#place = place;
    this.#shift = shift;
  }

  /** `over`: no more comes, so nothing is held back. */
  draw(words, over) {
    const text = words.includes("\r") ? words.replace(/\r\n?/g, "\n") : words;
    // What comes can change no block but the last; where something is defined, any.
    let from = this.#blocks.at(-1)?.start ?? 0;
    if (this.#defines || !text.startsWith(this.#text)) from = 0;
    const shown = over ? text : text.slice(0, from + Drawing.settled(text.slice(from)));
    if (shown === this.#text && over === this.#over) return;
    this.#over = over;
    let about = Markdown.knowledge(this.#shift, !over), lines = Markdown.lined(shown.slice(from)), blocks = Markdown.scan(lines, about);
    this.#defines = about.links.size + about.notes.size > 0;
    if (this.#defines && from) {
      from = 0;
      about = Markdown.knowledge(this.#shift, !over);
      lines = Markdown.lined(shown);
      blocks = Markdown.scan(lines, about);
    }
    this.#text = shown;
    Markdown.refer(about, shown);
    // What a block is depends on its own lines, and on what is defined anywhere.
    const context = this.#defines ? JSON.stringify([[...about.links], [...about.notes.keys()], [...about.referred]]) : "";
    const before = from ? this.#blocks.slice(0, -1) : [], kept = this.#blocks.slice(before.length), made = [];
    let after = before.findLast(({ nodes }) => nodes.length)?.nodes.at(-1) ?? null, line = 0, start = from;
    blocks.forEach((block, at) => {
      for (; line < block.from; line += 1) start += lines[line].length + 1;
      const source = `${block.whole}\n${lines.slice(block.from, block.to).join("\n")}`, old = kept[at];
      // With notes each is made again: they are counted as they are made.
      const same = context === this.#context && old?.source === source && !about.notes.size;
      const nodes = same ? old.nodes : this.#placed(old?.nodes ?? [], this.#made(block, lines), after);
      made.push({ source, nodes, start });
      after = nodes.at(-1) ?? after;
    });
    for (const { nodes } of kept.slice(blocks.length)) for (const node of nodes) node.remove();
    this.#said = this.#placed(this.#said, Markdown.notes(about), after);
    this.#blocks = [...before, ...made];
    this.#context = context;
  }

  /** A fault in drawing leaves the words as they came. */
  #made(block, lines) {
    try {
      return block.make();
    } catch (error) {
      console.warn("This part of an answer is shown as it came.", error);
      return [Words.make("p", [lines.slice(block.from, block.to).join("\n")])];
    }
  }

  /** Puts `next` in the place of `old`, behind `after`; keeps the nodes that can be kept. */
  #placed(old, next, after) {
    const result = next.map((node, at) => {
      const kept = old[at];
      if (kept?.parentNode === this.#place && Drawing.#alike(kept, node)) {
        Drawing.#change(kept, node);
        return kept;
      }
      this.#place.insertBefore(node, after ? after.nextSibling : this.#place.firstChild);
      kept?.remove();
      after = node;
      return node;
    }, this);
    for (const node of old.slice(next.length)) node.remove();
    return result;
  }

  static #alike(old, node) {
    if (old.nodeType !== node.nodeType || old.nodeName !== node.nodeName) return false;
    return old.nodeType === Node.TEXT_NODE || (old.className === node.className && old.dataset.language === node.dataset.language && old.tex === node.tex);
  }

  /** Makes `old` what `node` is, which is like it. */
  static #change(old, node) {
    if (old.nodeType === Node.TEXT_NODE) {
      if (node.data.startsWith(old.data)) {
        if (node.data.length > old.data.length) old.appendData(node.data.slice(old.data.length));
      } else old.data = node.data;
      return;
    }
    if (old.tex !== undefined) return; // drawn, or about to be
    for (const { name } of [...old.attributes]) if (name !== "open" && !node.hasAttribute(name)) old.removeAttribute(name);
    for (const { name, value } of node.attributes) if (name !== "open" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    const next = [...node.childNodes], had = [...old.childNodes];
    next.forEach((child, at) => {
      if (!had[at]) old.append(child);
      else if (Drawing.#alike(had[at], child)) Drawing.#change(had[at], child);
      else had[at].replaceWith(child);
    });
    for (const child of had.slice(next.length)) child.remove();
  }

  // -- what is held back ----------------------------------------------------------------------------

  /** What may yet begin a fence, a list, a fold, or underline what is above it. */
  static #BEGINNING = /^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?:[*+#]|-+|=+|\d{1,9}[.)]?|\[(?:[ xX]\]?)?|`{1,2}|~{1,2}|[`~]{3,}[^\n]*|<\/?[a-z]*>?|<details>[ \t]*<s.*)?$/i;
  static #FOLD = /^ {0,3}<details(?: open)?>[ \t]*$/i;

  /** Of `text`, how much can be drawn while more of it comes. */
  static settled(text) {
    const last = text.lastIndexOf("\n") + 1, line = text.slice(last);
    const gap = text.lastIndexOf("\n\n") + 1, before = text.slice(Math.max(gap, last - 4000), Math.max(0, last - 1));
    if (Drawing.#inCode(text)) return /^[ \t>]*[`~]*$/.test(line) ? last : text.length;
    const rows = before.split("\n"), above = rows.at(-1) ?? "";
    if (/^[ \t>]*\|/.test(line) && !/^[ \t>]*\|/.test(above)) return last;
    if (/^[ \t>]*\|/.test(above) && !/^[ \t>]*\|/.test(rows.at(-2) ?? "") && /^[ \t>|:-]*$/.test(line)) {
      return Math.max(0, last - 1 - above.length);
    }
    let limit = text.length;
    if (line.length < 400 && Drawing.#BEGINNING.test(line)) {
      limit = Drawing.#FOLD.test(above) ? Math.max(0, last - 1 - above.length) : last;
    }
    const start = Math.min(limit, Math.max(gap, limit - 4000));
    return start + Drawing.#open(text.slice(start, limit));
  }

  static #inCode(text) {
    let open = null;
    if (!text.includes("```") && !text.includes("~~~")) return false;
    for (const line of text.split("\n")) {
      const bare = line.replace(/^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*/, "");
      if (open) open = Markdown.ends(bare, open) ? null : open;
      else open = Markdown.fence(bare)?.[1] ?? null;
    }
    return open !== null;
  }

  /** Where in a paragraph begins what has no end yet. */
  static #open(text) {
    const marks = /\\[([\])]|\\.|\$\$?|`+|!?\[[^\][\n]{0,80}(?:\](?:\([^)\s]{0,2000})?)?$|<[a-z/!]?[^\s<>]{0,80}$|&#?\w{0,10}$|[*_~\\!]+$/giu;
    for (let found; (found = marks.exec(text)); ) {
      const mark = found[0], end = marks.lastIndex;
      if (mark[0] === "`") {
        const close = text.indexOf(mark, end);
        if (close < 0) return text.includes("\n", end) || text.length - end > 200 ? text.length : found.index;
        marks.lastIndex = close + mark.length;
      } else if (mark[0] === "$") {
        const limit = mark === "$" ? 200 : 4000, line = text.indexOf("\n", end);
        const close = text.indexOf(mark, end);
        const hope = mark === "$$" || (line < 0 && /\S/.test(text[end] ?? "x") && !/[\p{L}\p{N}]/u.test(text[found.index - 1] ?? " "));
        if (close < 0 || close + mark.length === text.length) {
          if (hope && text.length - end < limit && !/[a-z]{2,}[.,;:]? +[a-z]{2,} +[a-z]{2,}/i.test(mark === "$" ? text.slice(end) : "")) return close < 0 ? found.index : mark === "$" ? found.index : text.length;
        } else marks.lastIndex = mark === "$" ? end : close + mark.length;
      } else if (mark === "\\(" || mark === "\\[") {
        const close = text.indexOf(mark === "\\(" ? "\\)" : "\\]", end);
        if (close < 0) return text.length - end < 4000 ? found.index : text.length;
        marks.lastIndex = close + 2;
      } else if (end === text.length) {
        return found.index;
      }
    }
    return text.length;
  }
}

// A link to a heading or a note goes there; it names nothing on the page, and leaves the address alone.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a.within, a.noted");
  const answer = link?.closest("[data-answer]");
  if (!answer) return;
  event.preventDefault();
  let aim = null;
  if (link.classList.contains("noted")) aim = answer.querySelectorAll(".notes > ol > li")[parseInt(link.textContent, 10) - 1];
  else {
    const plain = (text) => text.toLowerCase().trim().replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, "").replaceAll(" ", "-");
    const seen = new Map();
    let wanted = link.getAttribute("href").slice(1);
    try {
      wanted = decodeURIComponent(wanted);
    } catch {} // as it is
    wanted = wanted.toLowerCase();
    const loose = (name) => name.replace(/^-+|-+$/g, "").replace(/-+/g, "-");
    const named = [...answer.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((heading) => {
      const name = plain(heading.textContent), count = seen.get(name) ?? 0;
      seen.set(name, count + 1);
      return [count ? `${name}-${count}` : name, heading];
    });
    aim = (named.find(([name]) => name === wanted) ?? named.find(([name]) => loose(name) === loose(wanted)))?.[1];
  }
  aim?.scrollIntoView({ block: "start" });
});
