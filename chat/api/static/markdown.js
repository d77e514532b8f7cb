// What a model wrote, as elements: paragraphs, headings, lists, quotes, code, tables, links to http(s).
// Every word becomes a text node and every element is made by its name here, so that nothing in a text can
// be more than text: HTML is shown as it is, an image is a link to it, a link of any other kind is words.
// Each search that fails is remembered, no pattern can begin one run of characters in two ways, and a line
// is cut into cells once, so that hostile text takes no longer than any other.
const renderMarkdown = (() => {
  const DEEPEST = 8; // quotes and lists in one another; what is deeper is text
  const WIDEST = 100; // columns; what is wider is text
  const FARTHEST = 2000; // characters of an address; what is longer is text
  const FENCE = /^ {0,3}(`{3,}|~{3,}(?!~))([^`]*)$/;
  const HEADING = /^ {0,3}(#{1,6})(?!\S)(.*)$/;
  const RULE = /^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/;
  const ITEM = /^( *)([-*+]|\d{1,9}[.)])(?:( +)(.*)|)$/;
  const QUOTE = /^ {0,3}> ?/;
  const CELLS = /^(?: *\|)?(?: *:?-+:? *\|)+(?: *:?-+:? *)?\|? *$/;
  const ADDRESS = new RegExp(`https?://[^\\s<>"'\`]{1,${FARTHEST + 1}}`, "iy");
  const MARKS = /[\\`*_~[!<h\n]/g;

  const make = (kind, children = []) => {
    const node = document.createElement(kind);
    node.append(...children);
    return node;
  };

  function link(href, children) {
    let url;
    try {
      url = new URL(href);
    } catch {
      return null;
    }
    if (url.protocol !== "http:" && url.protocol !== "https:") return null;
    const node = make("a", children);
    node.href = url.href;
    node.rel = "noopener noreferrer nofollow";
    node.target = "_blank";
    return node;
  }

  // -- within a line ------------------------------------------------------------------------------

  const word = (character) => character !== undefined && /[\p{L}\p{N}]/u.test(character);

  /** Nodes of `text`. `linked`: within a link already. */
  function inline(text, linked = false) {
    const nodes = [], hopeless = new Set();
    let from = 0, at = 0;
    const put = (node, end) => {
      if (at > from) nodes.push(text.slice(from, at));
      nodes.push(node);
      from = at = end;
    };
    /** Where `mark` closes what opens before `start`; -1 if nowhere. */
    const close = (mark, start) => {
      if (hopeless.has(mark)) return -1;
      for (let end = text.indexOf(mark, start); end >= 0; end = text.indexOf(mark, end + mark.length)) {
        if (mark === "**" && text[end + 2] === "*") end += 1; // of three, the first closes what stands within
        const doubled = mark.length === 1 && (text[end + 1] === mark || text[end - 1] === mark);
        const inside = mark[0] === "_" && word(text[end + mark.length]);
        if (end > start && !doubled && !inside && !/\s/.test(text[end - 1])) return end;
      }
      hopeless.add(mark);
      return -1;
    };
    const rules = {
      "\\": () => {
        if (!/[!-/:-@[-`{-~]/.test(text[at + 1] ?? "")) return false;
        put(text[at + 1], at + 2);
        return true;
      },
      "\n": () => (put(make("br"), at + 1), true),
      "`": () => {
        const ticks = /`+/y;
        ticks.lastIndex = at;
        const [mark] = ticks.exec(text), start = at + mark.length;
        if (hopeless.has(mark)) return false;
        let end = text.indexOf(mark, start);
        while (end >= 0 && (text[end - 1] === "`" || text[end + mark.length] === "`")) {
          while (text[end] === "`") end += 1;
          end = text.indexOf(mark, end);
        }
        if (end < 0) {
          hopeless.add(mark);
          at = start - 1; // a run opens as a whole or not at all
          return false;
        }
        const code = text.slice(start, end).replaceAll("\n", " ");
        put(make("code", [/^ .*[^ ].* $/.test(code) ? code.slice(1, -1) : code]), end + mark.length);
        return true;
      },
      "*": () =>
        (text.startsWith("***", at) && emphasis("***", "strong", "em")) ||
        (text[at + 1] === "*" ? emphasis("**", "strong") : emphasis("*", "em")),
      "_": () => !word(text[at - 1]) && (text[at + 1] === "_" ? emphasis("__", "strong") : emphasis("_", "em")),
      "~": () => text[at + 1] === "~" && emphasis("~~", "del"),
      "[": () => labelled(at + 1),
      "!": () => text[at + 1] === "[" && labelled(at + 2),
      "<": () => {
        const end = text.indexOf(">", at);
        return end > 0 && end - at < FARTHEST && /^<https?:/i.test(text.slice(at, at + 7)) && address(at + 1, end, end + 1);
      },
      h: () => {
        if (linked || word(text[at - 1])) return false;
        ADDRESS.lastIndex = at;
        const found = ADDRESS.exec(text)?.[0];
        if (!found || found.length > FARTHEST) return false;
        // A full stop or a bracket after an address belongs to the sentence.
        let length = found.length;
        while (".,:;!?*_~]".includes(found[length - 1])) length -= 1;
        if (found[length - 1] === ")" && !found.includes("(")) length = found.indexOf(")");
        return address(at, at + length, at + length);
      },
    };
    function emphasis(mark, kind, within) {
      const start = at + mark.length;
      if (start >= text.length || /\s/.test(text[start])) return false;
      const end = close(mark, start);
      if (end < 0) return false;
      const nodes = inline(text.slice(start, end), linked);
      put(make(kind, within ? [make(within, nodes)] : nodes), end + mark.length);
      return true;
    }
    function labelled(start) {
      if (linked || hopeless.has("](")) return false;
      const middle = text.indexOf("](", start);
      if (middle < 0) hopeless.add("](");
      if (middle < 0 || text.lastIndexOf("[", middle) >= start) return false;
      const end = text.indexOf(")", middle);
      if (end < 0) hopeless.add("](");
      if (end < 0 || end - middle > FARTHEST) return false;
      const href = text.slice(middle + 2, end).trim().split(/\s/)[0].replace(/^<(.*)>$/, "$1");
      const node = link(href, inline(text.slice(start, middle) || href, true));
      if (node) put(node, end + 1);
      return node !== null;
    }
    function address(start, end, after) {
      const node = linked ? null : link(text.slice(start, end), [text.slice(start, end)]);
      if (node) put(node, after);
      return node !== null;
    }
    while (at < text.length) {
      MARKS.lastIndex = at;
      const found = MARKS.exec(text);
      if (!found) break;
      at = found.index;
      if (!rules[found[0]]()) at += 1;
    }
    if (from < text.length) nodes.push(text.slice(from));
    return nodes;
  }

  // -- lines --------------------------------------------------------------------------------------

  const cells = (line) =>
    line.trim().replace(/^\||(?<!\\)\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
  const row = (kind, line, sides) => {
    const texts = cells(line).slice(0, sides.length), missing = sides.length - texts.length;
    const made = (missing ? [...texts, ""] : texts).map((text, index) => {
      const cell = make(kind, inline(text));
      if (sides[index]) cell.style.textAlign = sides[index];
      return cell;
    });
    if (missing > 1) made.at(-1).colSpan = missing; // one for all: no row has more cells than bars
    return make("tr", made);
  };
  const table = (lines, index) => {
    if (!lines[index].includes("|") || !CELLS.test(lines[index + 1] ?? "")) return false;
    const wide = cells(lines[index + 1]).length;
    return wide <= WIDEST && cells(lines[index]).length === wide;
  };
  const begins = (line, depth) =>
    [FENCE, HEADING, RULE, ...(depth < DEEPEST ? [QUOTE, ITEM] : [])].some((mark) => mark.test(line));

  /** Elements of `lines`. `tight`: text stands without paragraphs, as in a list without empty lines. */
  function blocks(lines, depth = 0, tight = false) {
    const made = [];
    for (let index = 0; index < lines.length; ) {
      const line = lines[index];
      let found;
      if (!line.trim()) {
        index += 1;
      } else if ((found = FENCE.exec(line))) {
        const end = new RegExp(`^ {0,3}${found[1][0]}{${found[1].length},}\\s*$`), code = [];
        const indent = line.search(/\S/);
        for (index += 1; index < lines.length && !end.test(lines[index]); index += 1) {
          code.push(lines[index].replace(new RegExp(`^ {0,${indent}}`), ""));
        }
        index += 1;
        const inner = make("code", [code.join("\n")]), [language] = found[2].trim().split(/\s/);
        if (language) inner.dataset.language = language;
        made.push(make("pre", [inner]));
      } else if ((found = HEADING.exec(line))) {
        const level = Math.min(6, found[1].length + 1); // the page's own title is the first
        made.push(make(`h${level}`, inline(found[2].trim().replace(/\s#+$/, ""))));
        index += 1;
      } else if (RULE.test(line)) {
        made.push(make("hr"));
        index += 1;
      } else if (depth < DEEPEST && QUOTE.test(line)) {
        const inner = [];
        for (; QUOTE.test(lines[index] ?? ""); index += 1) inner.push(lines[index].replace(QUOTE, ""));
        made.push(make("blockquote", blocks(inner, depth + 1)));
      } else if (depth < DEEPEST && ITEM.test(line)) {
        const [list, next] = items(lines, index, depth);
        made.push(list);
        index = next;
      } else if (table(lines, index)) {
        const sides = cells(lines[index + 1]).map((cell) =>
          cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : "");
        const body = make("tbody"), head = make("thead", [row("th", line, sides)]);
        for (index += 2; index < lines.length && lines[index].includes("|"); index += 1) {
          body.append(row("td", lines[index], sides));
        }
        made.push(make("table", [head, body]));
      } else {
        const text = [line.trim()];
        for (index += 1; index < lines.length && lines[index].trim(); index += 1) {
          if (begins(lines[index], depth) || table(lines, index)) break;
          text.push(lines[index].trim());
        }
        const nodes = inline(text.join("\n"));
        made.push(...(tight ? nodes : [make("p", nodes)]));
      }
    }
    return made;
  }

  /** The list that begins at `index`, and the line after it. */
  function items(lines, index, depth) {
    const first = ITEM.exec(lines[index]);
    const kind = (mark) => mark.at(-1);
    const list = make(/\d/.test(first[2]) ? "ol" : "ul");
    const start = parseInt(first[2], 10);
    if (start > 1) list.start = start;
    const found = [];
    let loose = false;
    for (let item; index < lines.length && (item = ITEM.exec(lines[index])); ) {
      if (kind(item[2]) !== kind(first[2]) || item[1].length > first[1].length + 3 || RULE.test(lines[index])) break;
      const gap = item[3] && item[3].length < 5 ? item[3].length : 1;
      const indent = item[1].length + item[2].length + gap;
      const inner = [lines[index].slice(indent)];
      let empty = false;
      for (index += 1; index < lines.length; index += 1) {
        const line = lines[index], depthOf = line.search(/\S/);
        if (depthOf < 0) empty = true;
        // What stands as deep as the item's text is of it; a line right below it too, unless it begins anew.
        else if (depthOf < indent && (empty || begins(line, depth))) {
          if (!(ITEM.test(line) && depthOf > item[1].length + 1)) break;
        }
        else empty = false;
        inner.push(depthOf < indent ? line.trimStart() : line.slice(indent));
      }
      const more = kind(ITEM.exec(lines[index] ?? "")?.[2] ?? "") === kind(first[2]);
      while (inner.length && !inner.at(-1).trim()) {
        inner.pop();
        loose ||= more;
      }
      loose ||= inner.includes("");
      found.push(inner);
    }
    list.append(...found.map((inner) => make("li", blocks(inner, depth + 1, !loose))));
    return [list, index];
  }

  /** @param {string} text @returns {DocumentFragment} */
  return (text) => {
    const whole = document.createDocumentFragment();
    whole.append(...blocks(text.replace(/\r\n?/g, "\n").replaceAll("\t", "    ").split("\n")));
    return whole;
  };
})();
