// The words of one paragraph, heading or cell, as nodes: emphasis, code, links, formulas, addresses.
// Every word becomes a text node and every element is made by its name here, so that nothing in a text can
// be more than text. Each search that fails is remembered, so that hostile text takes no longer than any
// other. markdown.js calls it for the page and for /embed.
const Words = (() => {
  const FARTHEST = 2000; // characters of an address; what is longer is text
  const LONGEST_MATHS = 4000; // characters of a formula
  const LONGEST_INLINE = 200; // characters between single dollars, of a label, of a small tag's words
  const DEEPEST = 24; // emphasis in emphasis; what is deeper is text
  const MARKS = /[\\`*_~[\]!<&$@\n]|https?:\/\/|www\./gi;
  const ADDRESS = new RegExp(`(?:https?://(?:\\[[\\da-f:.]{2,45}\\])?|www\\.)[^\\s<>[\\]"'\`。，、；：？！（）「」『』【】《》“”‘’]{0,${FARTHEST}}`, "iy");
  const ENTITY = /&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z][a-z\d]{1,31});/iy;
  const PUNCTUATION = /[!-/:-@[-`{-~]/;
  const PAIR = /<(sub|sup|kbd|mark|u|ins|small)>/iy; // what Markdown has no sign for
  const BREAK = /<br ?\/?>/iy;
  const MAIL = /<(?:mailto:)?[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}>/y;
  const PROSE = /(?<![\\{a-z])[a-z]{2,}[.,;:]? +[a-z]{2,}(?![a-z}])/i;
  const SIGNS = /[\\^_=+*<>{|]/; // of which a formula that begins with a figure has one: else it is a price
  const LINKED = new Set(["http:", "https:", "mailto:"]);
  const WIDE = /[\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef]|[\ud840-\ud87f][\udc00-\udfff]?/;

  const make = (kind, children = []) => {
    const node = document.createElement(kind);
    for (const child of children) node.append(child); // one by one: there may be too many for one call
    return node;
  };

  const known = new Map();
  const reader = document.createElement("textarea"); // in which nothing is more than text
  /** `entity` as the sign that it stands for; itself if it is none. */
  function sign(entity) {
    if (!known.has(entity)) {
      if (known.size > 500) known.clear();
      reader.innerHTML = entity;
      known.set(entity, reader.value);
    }
    return known.get(entity);
  }
  const plain = (text) =>
    text.replace(/\\([!-/:-@[-`{-~])|&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z][a-z\d]{1,31});/gi, (all, escaped) => escaped ?? sign(all));

  /** To another page, to a mail, or to a heading of this answer; null: no link, but words. */
  function link(href, children) {
    const node = document.createElement("a");
    if (/^#[^\s#]/.test(href)) {
      node.setAttribute("href", href);
      node.className = "within";
    } else {
      let url;
      try {
        url = new URL(href);
      } catch {
        return null;
      }
      if (!LINKED.has(url.protocol)) return null;
      node.href = url.href;
      node.rel = "noopener noreferrer nofollow";
      node.target = "_blank";
    }
    node.append(...children);
    return node;
  }

  /** A formula; its source until somebody draws it (`Words.draw`). */
  function maths(tex, display, source) {
    const node = make("span", [source]);
    node.className = display ? "maths display" : "maths";
    node.tex = tex;
    Words.draw?.(node, tex, display);
    return node;
  }

  const name = (label) => label.trim().replace(/\s+/g, " ").toLowerCase();

  // -- emphasis -----------------------------------------------------------------------------------

  const blank = (character) => character === undefined || /\s/.test(character);
  const punctuation = (character) => character !== undefined && /[\p{P}\p{S}]/u.test(character);

  /** A run of `mark`: what it may do. Chinese, Japanese and Korean have no blanks between words. */
  function run(text, at, end) {
    const before = text[at - 1], after = text[end], mark = text[at];
    const wide = (character) => character !== undefined && WIDE.test(character);
    const left = !blank(after) && (!punctuation(after) || blank(before) || punctuation(before) || wide(before));
    const right = !blank(before) && (!punctuation(before) || blank(after) || punctuation(after) || wide(after));
    const count = end - at;
    const part = { mark, count, left: count, opens: [], closes: [], can: [left, right] };
    if (mark === "_") part.can = [left && (!right || punctuation(before)), right && (!left || punctuation(after))];
    if (mark === "~" && count !== 2) part.can = [false, false];
    return part;
  }

  /** Which runs belong together, as CommonMark has it. */
  function pair(parts) {
    const stack = [], bottoms = new Map();
    let order = 0;
    for (const part of parts) {
      if (!part.mark) continue;
      part.order = order++;
      const [opens, closes] = part.can;
      while (closes && part.left) {
        const key = `${part.mark}${opens}${part.count % 3}`, bottom = bottoms.get(key) ?? -1;
        let at = stack.length - 1;
        const fits = (opener) =>
          opener.mark === part.mark &&
          !((opener.can[1] || opens) && (opener.count + part.count) % 3 === 0 && (opener.count % 3 || part.count % 3) && part.mark !== "~");
        while (at >= 0 && stack[at].order > bottom && !fits(stack[at])) at -= 1;
        if (at < 0 || stack[at].order <= bottom) {
          bottoms.set(key, stack.at(-1)?.order ?? -1);
          break;
        }
        const opener = stack[at], both = part.mark === "~" || (opener.left > 1 && part.left > 1);
        const kind = part.mark === "~" ? "del" : both ? "strong" : "em";
        opener.opens.push(kind);
        part.closes.push(kind);
        opener.left -= both ? 2 : 1;
        part.left -= both ? 2 : 1;
        stack.length = opener.left ? at + 1 : at;
      }
      if (opens && part.left) stack.push(part);
    }
  }

  /** Nodes of `parts`, with the emphasis that the runs in them make. */
  function build(parts) {
    pair(parts);
    const top = [], open = [top];
    let deep = 0;
    const put = (node) => {
      const last = open.at(-1), kept = last.at(-1);
      if (typeof node === "string" && typeof kept === "string") last[last.length - 1] = kept + node;
      else if (node !== "") last.push(node);
    };
    for (const part of parts) {
      if (!part.mark) {
        put(part);
        continue;
      }
      for (const kind of part.closes) {
        if (deep > DEEPEST) put(part.mark.repeat(kind === "em" ? 1 : 2));
        else {
          const children = open.pop();
          put(make(kind, children));
        }
        deep -= 1;
      }
      put(part.mark.repeat(part.left));
      for (const kind of part.opens.toReversed()) {
        deep += 1;
        if (deep > DEEPEST) put(part.mark.repeat(kind === "em" ? 1 : 2));
        else open.push([]);
      }
    }
    return top;
  }

  // -- one text -----------------------------------------------------------------------------------

  /** Nodes of `text`. `about`: what the answer as a whole defines, and whether this is a cell, or in a link. */
  function inline(text, about) {
    const parts = [], nearest = new Map(), brackets = [];
    let from = 0, at = 0, linked = 0; // before which no bracket opens a link: no link within a link
    const put = (part, end, start = at) => {
      if (start > from) parts.push(text.slice(from, start));
      parts.push(part);
      from = at = end;
      return true;
    };
    /** Where `what` is next; -1, and never looked for again, if nowhere. */
    const next = (what, start) => {
      let found = nearest.get(what) ?? 0;
      if (found >= 0 && found <= start) nearest.set(what, (found = text.indexOf(what, start)));
      return found;
    };

    function code() {
      let start = at;
      while (text[start] === "`") start += 1;
      const mark = text.slice(at, start);
      let end = next(mark, start);
      while (end >= 0 && (text[end - 1] === "`" || text[end + mark.length] === "`")) {
        while (text[end] === "`") end += 1;
        end = next(mark, end);
      }
      if (end < 0) {
        at = start - 1; // a run opens as a whole or not at all
        return false;
      }
      const said = text.slice(start, end).replaceAll("\n", " ");
      return put(make("code", [/^ .*[^ ].* $/.test(said) ? said.slice(1, -1) : said]), end + mark.length);
    }

    function escape() {
      const following = text[at + 1];
      if (following === "(" || following === "[") {
        const end = next(following === "(" ? "\\)" : "\\]", at + 2);
        const tex = text.slice(at + 2, Math.min(end, at + LONGEST_MATHS));
        if (end > at + 2 && end < at + LONGEST_MATHS && tex.trim()) {
          return put(maths(tex, following === "[", text.slice(at, end + 2)), end + 2);
        }
      }
      if (following === "\n") return put(make("br"), at + 2);
      return PUNCTUATION.test(following ?? "") && put(following, at + 2);
    }

    function dollar() {
      if (text[at + 1] === "$") {
        const end = next("$$", at + 2), tex = text.slice(at + 2, Math.min(end, at + LONGEST_MATHS));
        if (end > at + 2 && end < at + LONGEST_MATHS && tex.trim() && !tex.includes("`")) {
          return put(maths(tex, true, text.slice(at, end + 2)), end + 2);
        }
        at += 1;
        return false;
      }
      const before = text[at - 1];
      if (before !== undefined && /[\p{L}\p{N}\\]/u.test(before) && !WIDE.test(before)) return false; // US$5, 5$
      let end = next("$", at + 1);
      while (end >= 0 && end - at <= LONGEST_INLINE && text[end - 1] === "\\") end = next("$", end + 1);
      if (end < 0 || end - at > LONGEST_INLINE) return false;
      const tex = text.slice(at + 1, end), after = text[end + 1];
      const figures = /^[\d.,/]*\d[\d.,/]*$|^\d[\d.]*[a-z]$/i.test(tex);
      const priced = /^\d/.test(tex) && !figures && !SIGNS.test(tex);
      if (!tex || /^\s|\s$|[`\n]|\\[()[\]]/.test(tex) || PROSE.test(tex) || priced) return false;
      if (after !== undefined && /[\p{L}\p{N}{$]/u.test(after) && !WIDE.test(after)) return false;
      return put(maths(tex, false, text.slice(at, end + 1)), end + 1);
    }

    function tag() {
      MAIL.lastIndex = BREAK.lastIndex = PAIR.lastIndex = at;
      if (!about.linked && /^<https?:/i.test(text.slice(at, at + 7))) {
        const end = next(">", at), href = text.slice(at + 1, end);
        const node = end > 0 && end - at < FARTHEST && !/\s/.test(href) && link(href, [href]);
        if (node) return put(node, end + 1);
      }
      let found = MAIL.exec(text)?.[0];
      if (found && !about.linked) {
        const address = found.slice(1, -1).replace(/^mailto:/, "");
        return put(link(`mailto:${address}`, [address]), at + found.length);
      }
      if ((found = BREAK.exec(text)?.[0])) {
        const end = at + found.length, alone = about.cell ? found === text.trim() : blank(text[at - 1]) && end < text.length && text[end] !== "\n";
        return !alone && put(make("br"), text[end] === "\n" ? end + 1 : end);
      }
      const pair = PAIR.exec(text);
      if (!pair) return false;
      const kind = pair[1].toLowerCase(), start = at + pair[0].length;
      const end = next(`</${pair[1]}>`, start), inner = text.slice(start, end);
      if (end < 0 || inner.length > LONGEST_INLINE || !/^\S(?:.*\S)?$/.test(inner) || !/[\p{L}\p{N}]/u.test(inner)) return false;
      return put(make(kind, inline(inner, about)), end + pair[0].length + 1);
    }

    function address() {
      const before = text[at - 1];
      if (about.linked) return false;
      if (before !== undefined && /[\p{L}\p{N}/.@]/u.test(before) && !WIDE.test(before)) return false;
      ADDRESS.lastIndex = at;
      const found = ADDRESS.exec(text)?.[0];
      if (!found || found.length > FARTHEST || /[/.]$/.test(found.slice(0, 8)) && found.length < 9) return false;
      // A full stop or a bracket after an address belongs to the sentence.
      let length = found.length, opened = found.split("(").length, closed = found.split(")").length;
      for (;;) {
        const last = found[length - 1];
        if (last === ")" && closed > opened) closed -= 1;
        else if (!".,:;!?*_~]".includes(last)) break;
        length -= 1;
      }
      const shown = found.slice(0, length);
      if (/^www\.[^.]*$/i.test(shown)) return false;
      const node = link(/^www/i.test(shown) ? `https://${shown}` : shown, [shown]);
      return node !== null && put(node, at + length);
    }

    function mail() {
      const local = /[\w.+-]{1,64}$/.exec(text.slice(Math.max(from, at - 64), at))?.[0];
      const rule = /[a-z\d](?:[\w-]{0,62}[a-z\d])?(?:\.[a-z\d](?:[\w-]{0,62}[a-z\d])?){1,8}/iy;
      rule.lastIndex = at + 1;
      const domain = rule.exec(text)?.[0];
      if (about.linked || !local || !domain || !/\.[a-z]{2,}$/i.test(domain)) return false;
      const start = at - local.length, said = `${local}@${domain}`;
      return put(link(`mailto:${said}`, [said]), start + said.length, start);
    }

    /** `(address "title")` from `start`: the address and the end. */
    function destination(start) {
      if (next(")", start) < 0) return null;
      let end = start + 1, deep = 0, href;
      while (/\s/.test(text[end] ?? "")) end += 1;
      const begin = end;
      if (text[end] === "<") {
        while (end - begin < FARTHEST && text[end] !== undefined && !">\n".includes(text[end])) end += 1;
        if (text[end] !== ">") return null;
        href = text.slice(begin + 1, end);
        end += 1;
      } else {
        for (; end - begin < FARTHEST && text[end] !== undefined && !/\s/.test(text[end]); end += 1) {
          if (text[end] === "\\") end += 1;
          else if (text[end] === "(") deep += 1;
          else if (text[end] === ")" && (deep -= 1) < 0) break;
        }
        href = text.slice(begin, end);
      }
      const rest = /\s*(?:"[^"]{0,500}"|'[^']{0,500}'|\([^()]{0,500}\))?\s{0,20}\)/y;
      rest.lastIndex = end;
      const close = rest.exec(text);
      return close && { href: plain(href), end: end + close[0].length };
    }

    function close() {
      let opener = brackets.pop();
      while (opener && !opener.image && opener.at < linked) opener = brackets.pop();
      if (!opener) return false;
      const label = text.slice(opener.at, at), short = label.length <= LONGEST_INLINE;
      let to = null, end = at + 1;
      if (text[end] === "(") {
        to = destination(end);
        if (to) [to, end] = [to.href, to.end];
      }
      if (to === null && short && label[0] === "^" && !opener.image && about.notes?.has(name(label.slice(1)))) {
        const note = about.note(name(label.slice(1)));
        put("", end);
        parts.splice(opener.part, Infinity, note);
        return true;
      }
      if (to === null && short && about.links?.size) {
        const second = text[end] === "[" ? text.indexOf("]", end) : -1;
        const named = second > end + 1 && second - end < LONGEST_INLINE ? text.slice(end + 1, second) : null;
        to = about.links.get(name(named ?? label)) ?? null;
        if (to !== null && second > 0 && (named !== null || second === end + 1)) end = second + 1;
      }
      if (to === null || (about.linked && !opener.image) || (opener.image && label.length > FARTHEST)) return false;
      const probe = link(to, []);
      if (probe === null) return false;
      put("", end);
      const inner = parts.splice(opener.part, Infinity).slice(1);
      const children = opener.image ? [plain(label) || "image"] : build(inner);
      if (about.linked) parts.push(...children);
      else {
        probe.append(...(children.some((each) => each !== "") ? children : [to]));
        for (const inner of probe.querySelectorAll("a")) inner.replaceWith(...inner.childNodes);
        parts.push(probe);
        if (!opener.image) linked = at;
      }
      return true;
    }

    const bracket = (image) => {
      const start = at + (image ? 2 : 1);
      put(image ? "![" : "[", start);
      brackets.push({ part: parts.length - 1, at: start, image });
      return true;
    };

    const rules = {
      "\\": escape,
      "`": code,
      "[": () => bracket(false),
      "!": () => text[at + 1] === "[" && bracket(true),
      "]": close,
      "<": tag,
      "&": () => {
        ENTITY.lastIndex = at;
        const found = ENTITY.exec(text)?.[0];
        return found !== undefined && sign(found) !== found && put(sign(found), at + found.length);
      },
      $: dollar,
      "@": mail,
      "\n": () => {
        const trimmed = text.slice(from, at).trimEnd();
        return put(make("br"), at + 1, from + trimmed.length);
      },
    };
    const emphasis = () => {
      let end = at;
      while (text[end] === text[at]) end += 1;
      return put(run(text, at, end), end);
    };
    while (at < text.length) {
      MARKS.lastIndex = at;
      const found = MARKS.exec(text);
      if (!found) break;
      at = found.index;
      const mark = found[0];
      const rule = mark.length > 1 ? address : "*_~".includes(mark) ? emphasis : rules[mark];
      if (!rule()) at += mark.length > 1 && text[at] === mark[0] ? mark.length : 1;
    }
    if (from < text.length) parts.push(text.slice(from));
    return build(parts);
  }

  return { inline, link, make, maths, name, plain, draw: null };
})();
