// What a model wrote, as elements: paragraphs, headings, lists, quotes, code, tables, formulas, footnotes.
// The words in them are words.js's; drawing.js draws an answer that still grows. A text is cut into blocks
// by its lines, in one pass; what stands in a list or a quote is cut again when it is made. What of GitHub's
// Markdown would hide a word is not done: HTML is shown as it is, but for a fold that says what it folds.
const Markdown = (() => {
  const DEEPEST = 10; // quotes and lists in one another; what is deeper is text
  const WIDEST = 100; // columns; what is wider is text
  const FENCE = /^[ \t]{0,3}(`{3,}(?=[^`]*$)|~{3,}(?!~))(.*)$/;
  const HEADING = /^ {0,3}(#{1,6})(?!\S)(.*)$/;
  const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
  const UNDER = /^ {0,3}(={2,}|-{3,})[ \t]*$/;
  const ITEM = /^([ \t]*)([-*+]|\d{1,9}[.)])(?:([ \t]+)(\S.*)|[ \t]*)$/;
  const QUOTE = /^ {0,3}> ?/;
  const CELLS = /^[ \t|:-]*$/, CELL = /^[ \t]*:?-+:?[ \t]*$/;
  const MATHS = /^ {0,3}(\$\$|\\\[|\\begin\{((?:equation|align|alignat|gather|multline|eqnarray|aligned|gathered|cases)\*?)\})/;
  const NOTE = /^ {0,3}\[\^([^\]\s]{1,60})\]:[ \t]*(.*)$/;
  const LINK = /^ {0,3}\[([^\][^][^\][]{0,200})\]:[ \t]+<?(https?:\/\/[^\s<>]{1,2000}|mailto:[^\s<>]{1,200}|#[^\s<>]{1,200})>?(?:[ \t]+(?:"[^"]{0,300}"|'[^']{0,300}'|\([^)]{0,300}\)))?[ \t]*$/;
  const FOLD = /^ {0,3}<details(?: open)?>[ \t]*(.*)$/i;
  const SUMMARY = /^[ \t]*<summary>(.{1,500}?)<\/summary>(.*)$/i;
  const ALERT = /^[ \t]*\[!(note|tip|important|warning|caution)\][ \t]*$/i;
  const ONE = /^(?:[\u0021-\u024f]{1,32}|[\d\s.,:;%+\-−–/()$€£¥°×a-z]{1,16})$/i; // a cell that is one word or figure
  const RIGHT_TO_LEFT = /^[^\p{L}]*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u;
  const { inline, make } = Words;

  // -- lines --------------------------------------------------------------------------------------

  /** Columns of blanks at the start; all of it, if there is nothing else. */
  function indent(line) {
    let columns = 0;
    for (let at = 0; at < line.length; at += 1) {
      if (line[at] === " ") columns += 1;
      else if (line[at] === "\t") columns += 4 - (columns % 4);
      else return columns;
    }
    return columns;
  }

  /** `line` without its first `columns` of blanks; a tab that reaches farther leaves the rest as blanks. */
  function cut(line, columns) {
    let gone = 0, at = 0;
    for (; gone < columns && at < line.length; at += 1) {
      if (line[at] === " ") gone += 1;
      else if (line[at] === "\t") gone += 4 - (gone % 4);
      else break;
    }
    return gone > columns ? " ".repeat(gone - columns) + line.slice(at) : line.slice(at);
  }

  /** A heading without the signs at its end. */
  function unclosed(text) {
    let end = text.length;
    while (text[end - 1] === "#") end -= 1;
    return !end || /\s/.test(text[end - 1]) ? text.slice(0, end).trimEnd() : text;
  }

  const empty = (line) => line === undefined || !line.trim();
  const fence = (line) => (line.includes("```") || line.includes("~~~") ? FENCE.exec(line) : null);
  const ends = (line, mark) => {
    const bare = line.trim();
    return bare.length >= mark.length && bare[0] === mark[0] && indent(line) < 4 && bare === mark[0].repeat(bare.length);
  };

  const pairs = new WeakMap(); // of some lines, for each mark: which line closes which
  /** The line that closes the fence at `index`, where those with a name below it are closed first. */
  function matched(lines, index, mark) {
    if (!pairs.has(lines)) pairs.set(lines, new Map());
    const known = pairs.get(lines);
    if (!known.has(mark)) {
      const open = [], found = new Map();
      for (let at = index; at < lines.length; at += 1) {
        if (ends(lines[at], mark)) open.length && found.set(open.pop(), at);
        else if (fence(lines[at])?.[1] === mark) open.push(at);
      }
      known.set(mark, found);
    }
    return known.get(mark).get(index);
  }

  /** The line after the fence that opens at `index`; `whole`: it was closed. */
  function fenced(lines, index, info, growing) {
    const [, mark, said] = info;
    // A README as code holds code itself: a fence with a name opens, and the next bare one closes that.
    if (/^[ \t]*(?:markdown|md|mdx)\b/i.test(said)) {
      const end = matched(lines, index, mark);
      if (end !== undefined) return { next: end + 1, whole: true };
      if (growing) return { next: lines.length, whole: false };
    }
    for (let at = index + 1; at < lines.length; at += 1) {
      if (ends(lines[at], mark)) return { next: at + 1, whole: true };
    }
    return { next: lines.length, whole: false };
  }

  const item = (line) => {
    const found = ITEM.exec(line);
    if (!found || RULE.test(line)) return null;
    const [, before, mark, gap = "", rest = ""] = found;
    const at = indent(before), wide = gap ? indent(" ".repeat(at + mark.length) + gap) - at - mark.length : 1;
    const width = at + mark.length + (wide > 4 ? 1 : wide);
    return { at, kind: mark.at(-1), number: parseInt(mark, 10), width, rest: wide > 4 ? " ".repeat(wide - 1) + rest : rest };
  };

  // -- tables -------------------------------------------------------------------------------------

  const bars = (line) => line.trim().replace(/^\||(?<!\\)\|$/g, "").split(/(?<!\\)\|/);
  /** As `bars`, but for those within code: those before an odd number of ticks. */
  const whole = (line) => {
    const found = [];
    let ticks = 0;
    for (const part of bars(line).reverse()) {
      if (ticks % 2) found.push(`${part}|${found.pop()}`);
      else found.push(part);
      ticks += part.split("`").length - 1;
    }
    return found.reverse();
  };
  const cells = (line) => bars(line).map((cell) => cell.trim().replaceAll("\\|", "|"));
  /** As many as there are columns: where a bar in code makes more, it is none. */
  const fitting = (line, count) => {
    const found = cells(line);
    const long = found.length > count && line.includes("`");
    return (long ? whole(line).map((cell) => cell.trim().replaceAll("\\|", "|")) : found).slice(0, count);
  };

  function row(kind, line, sides, about) {
    const texts = fitting(line, sides.length), missing = sides.length - texts.length;
    const made = (missing ? [...texts, ""] : texts).map((text, index) => {
      const cell = make(kind, inline(text, { ...about, cell: true }));
      if (sides[index]) cell.align = sides[index];
      if (ONE.test(cell.textContent)) cell.className = "one";
      else if (cell.textContent.length > 40) cell.className = "many";
      return cell;
    });
    if (missing > 1) made.at(-1).colSpan = missing; // one for all: no row has more cells than bars
    return make("tr", made);
  }
  const table = (lines, index) => {
    const second = lines[index + 1] ?? "";
    if (!lines[index].includes("|") || !second.includes("-") || !CELLS.test(second)) return 0;
    const under = bars(second), wide = under.length;
    return under.every((cell) => CELL.test(cell)) && wide <= WIDEST && (second.includes("|") || wide === 1) && fitting(lines[index], WIDEST + 1).length === wide ? wide : 0;
  };

  // -- blocks -------------------------------------------------------------------------------------

  const searched = new WeakMap(); // of some lines, for each closing sign: where it was looked for last
  /** The first line from `index` on that has `closing`, or else the next empty one; looked for once. */
  function closed(lines, index, closing) {
    if (!searched.has(lines)) searched.set(lines, new Map());
    const known = searched.get(lines), last = known.get(closing);
    if (last && last.from <= index && index < last.to) return last.to;
    let to = index;
    while (to < lines.length && !empty(lines[to]) && !lines[to].includes(closing)) to += 1;
    known.set(closing, { from: index, to });
    return to;
  }

  /** Whether a formula opens at `index` that ends with a line before the next empty one; the line after it. */
  function formula(lines, index) {
    const found = MATHS.exec(lines[index]);
    if (!found) return 0;
    const closing = found[2] ? `\\end{${found[2]}}` : found[1] === "$$" ? "$$" : "\\]";
    const start = lines[index].indexOf(found[1]) + found[1].length;
    let at = index, end = lines[at].indexOf(closing, start);
    if (end < 0) {
      at = closed(lines, index + 1, closing);
      end = at < lines.length ? lines[at].indexOf(closing) : -1;
    }
    return end >= 0 && /^[.,;]?$/.test(lines[at].slice(end + closing.length).trim()) ? at + 1 : 0;
  }

  /** Whether `line` may end a paragraph above it. */
  function begins(lines, index, depth) {
    const line = lines[index];
    if (indent(line) > 3) return false;
    if (fence(line) || HEADING.test(line) || RULE.test(line) || NOTE.test(line) || FOLD.test(line)) return true;
    if (depth < DEEPEST && QUOTE.test(line)) return true;
    const found = depth < DEEPEST && item(line);
    if (found && found.rest && !(found.number > 1)) return true;
    return table(lines, index) > 0 || formula(lines, index) > 0;
  }

  /** The blocks of `lines`: of each the first line, the line after it, its kind, and what makes its nodes. */
  function scan(lines, about, depth = 0) {
    const found = [];
    let index = 0;
    const add = (next, kind, nodes, whole = true) => {
      found.push({ from: index, to: next, kind, make: nodes, whole });
      index = next;
    };
    while (index < lines.length) {
      const line = lines[index], start = index;
      let match, end;
      if (empty(line)) {
        index += 1;
      } else if (indent(line) > 3) {
        let next = index;
        for (end = index; end < lines.length && (empty(lines[end]) || indent(lines[end]) > 3); end += 1) {
          if (!empty(lines[end])) next = end + 1;
        }
        add(next, "code", () => [code(lines.slice(start, next).map((each) => cut(each, 4)), "")]);
      } else if ((match = fence(line))) {
        const { next, whole } = fenced(lines, index, match, about.growing);
        const said = match[2], left = indent(line);
        add(next, "fence", () => [
          code(lines.slice(start + 1, whole ? next - 1 : next).map((each) => cut(each, left)), said, whole || !about.growing),
        ], whole);
      } else if ((match = HEADING.exec(line))) {
        const level = match[1].length, said = unclosed(match[2].trim());
        add(index + 1, "heading", () => [heading(level, said, about)]);
      } else if (RULE.test(line)) {
        add(index + 1, "rule", () => [make("hr")]);
      } else if (depth < DEEPEST && QUOTE.test(line)) {
        quote(lines, index, depth, about, add);
      } else if (depth < DEEPEST && item(line)) {
        const [list, next] = items(lines, index, depth);
        add(next, "list", () => [listed(list, about, depth)]);
      } else if ((match = FOLD.exec(line)) && depth < DEEPEST && (end = fold(lines, index, match[1]))) {
        add(end.next, "fold", () => [folded(end, about, depth)], end.whole);
      } else if ((match = NOTE.exec(line)) && !about.nested) {
        const said = [match[2]];
        for (end = index + 1; end < lines.length; end += 1) {
          const next = lines[end];
          if (empty(next) ? indent(lines[end + 1] ?? "") < 2 || empty(lines[end + 1]) : indent(next) < 2 && begins(lines, end, depth)) break;
          said.push(cut(next, 4));
        }
        const label = Words.name(match[1]);
        if (!about.notes.has(label)) about.notes.set(label, said);
        add(end, "note", () => (about.referred.has(label) ? [] : [paragraph(lines.slice(start, end), bare(about))]));
      } else if ((match = LINK.exec(line)) && !about.nested) {
        const label = Words.name(match[1]);
        if (!about.links.has(label)) about.links.set(label, match[2]);
        add(index + 1, "link", () => (about.referred.has(label) ? [] : [paragraph([line], bare(about))]));
      } else if ((end = table(lines, index))) {
        const sides = cells(lines[index + 1]).map((cell) =>
          cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : "");
        for (end = index + 2; end < lines.length && lines[end].includes("|") && !fence(lines[end]); end += 1);
        add(end, "table", () => {
          const body = make("tbody", lines.slice(start + 2, end).map((each) => row("td", each, sides, about)));
          return [direct(make("table", [make("thead", [row("th", line, sides, about)]), ...(end > start + 2 ? [body] : [])]))];
        });
      } else if ((end = formula(lines, index))) {
        const said = lines.slice(start, end).map((each) => each.trim()).join("\n");
        add(end, "maths", () => [make("p", displayed(said))]);
      } else {
        lettered(lines, index, depth, about, add);
      }
    }
    return found;
  }

  const bare = (about) => ({ ...about, links: new Map(), notes: new Map() });

  const displayed = (said) => {
    const [, source, tail] = /^([^]*?)([.,;]?)$/.exec(said);
    const tex = source.startsWith("\\begin") ? source : source.slice(2, -2);
    return [Words.maths(tex, true, source), ...(tail ? [tail] : [])];
  };

  function lettered(lines, index, depth, about, add) {
    let end = index + 1;
    for (; end < lines.length && !empty(lines[end]); end += 1) {
      const under = UNDER.exec(lines[end]);
      // Below one line it makes a heading; below more, a sentence would become one.
      if (under && end === index + 1 && lines[index].trim().length <= 200 && !/\|/.test(lines[index])) {
        const said = lines[index].trim(), level = under[1][0] === "=" ? 1 : 2;
        return add(end + 1, "heading", () => [heading(level, said, about)]);
      }
      if (begins(lines, end, depth)) break;
    }
    add(end, "text", () => [paragraph(lines.slice(index, end), about)]);
  }

  const spoken = (lines) => lines.map((line) => line.trimStart()).join("\n").trimEnd();

  /** In the direction of its first letter, where that is not the page's. */
  function direct(node) {
    if (RIGHT_TO_LEFT.test(node.textContent.slice(0, 500))) node.dir = "rtl";
    return node;
  }
  const paragraph = (lines, about) => direct(make("p", inline(spoken(lines), about)));
  const heading = (level, text, about) => direct(make(`h${Math.min(6, level + (about.shift ?? 0))}`, inline(text, about)));

  function code(lines, info, whole = true) {
    const text = make("code", [lines.length ? `${lines.join("\n")}\n` : ""]);
    const language = /^[ \t{.]*([\w+#.-]{1,40})/.exec(info)?.[1].toLowerCase();
    if (language) text.dataset.language = language;
    const button = make("button"); // the style sheet writes on it, so that no selection takes it along
    button.type = "button";
    button.className = "copy_code_button";
    button.setAttribute("aria-label", "Copy code");
    const box = make("div", [button, make("pre", [text])]);
    box.className = "code_wrap";
    if (language) Markdown.paint?.(text, language, whole);
    return box;
  }

  function quote(lines, index, depth, about, add) {
    const inner = [];
    let end = index, open = null;
    for (; end < lines.length; end += 1) {
      const line = lines[end];
      if (QUOTE.test(line)) {
        inner.push(line.replace(QUOTE, ""));
        const mark = fence(inner.at(-1))?.[1];
        open = open ? (ends(inner.at(-1), open) ? null : open) : mark ?? null;
      } else if (!empty(line) && !empty(inner.at(-1)) && !open && !begins(lines, end, depth) && !begins(inner, inner.length - 1, DEEPEST)) {
        inner.push(line); // a paragraph goes on without its sign
      } else break;
    }
    add(end, "quote", () => {
      const alert = ALERT.exec(inner[0]);
      const made = nodes(alert ? inner.slice(1) : inner, about, depth + 1);
      if (alert) made.unshift(make("p", [make("strong", [alert[1][0].toUpperCase() + alert[1].slice(1).toLowerCase()])]));
      return [direct(make("blockquote", made))];
    });
  }

  /** The list that begins at `index`, its items as lines, and the line after it. */
  function items(lines, index, depth) {
    const first = item(lines[index]), list = { first, inner: [], numbers: [], gaps: false };
    for (let each; index < lines.length && (each = item(lines[index])); ) {
      if (each.kind !== first.kind || each.at > first.at + 3) break;
      const inner = [each.rest];
      list.numbers.push(each.number);
      let width = each.width, gap = false, open = fence(each.rest)?.[1] ?? null;
      for (index += 1; index < lines.length; index += 1) {
        const line = lines[index], at = indent(line);
        if (empty(line)) gap = true;
        // What stands as deep as the item's text is of it; a line right below it too, unless it begins anew.
        else if (at < width) {
          const nested = !open && at > each.at + 1 && item(line);
          if (nested) width = at;
          else if (gap || open || begins(lines, index, depth) || item(line)) break;
        }
        if (!empty(line)) gap = false;
        inner.push(at < width && !empty(line) ? line.trimStart() : cut(line, width));
        const last = inner.at(-1);
        open = open ? (ends(last, open) ? null : open) : fence(last)?.[1] ?? null;
      }
      while (inner.length > 1 && empty(inner.at(-1))) {
        inner.pop();
        list.gaps ||= index < lines.length && item(lines[index])?.kind === first.kind;
      }
      list.inner.push(inner);
    }
    return [list, index];
  }

  function listed({ first, inner, numbers, gaps }, about, depth) {
    const list = make(first.number >= 0 ? "ol" : "ul");
    if (first.number >= 0 && first.number !== 1) list.start = first.number;
    const all = inner.map((lines) => {
      const box = /^\[([ xX])\][ \t]+(?=\S)/.exec(lines[0]);
      const said = box ? [lines[0].slice(box[0].length), ...lines.slice(1)] : lines;
      return { box, said, blocks: scan(said, { ...about, nested: true }, depth + 1) };
    });
    const loose = gaps || all.some(({ blocks }) => blocks.some((block, at) => at && block.from > blocks[at - 1].to));
    let count = first.number - 1;
    all.forEach(({ box, blocks }, at) => {
      const line = make("li");
      // A number that leaves some out is the writer's: a year, or the third step of another list.
      if (numbers[at] > (count += 1)) line.value = count = numbers[at];
      if (box) {
        const tick = make("input");
        tick.type = "checkbox";
        tick.disabled = true;
        tick.setAttribute("aria-label", box[1] === " " ? "not done" : "done");
        if (box[1] !== " ") tick.setAttribute("checked", "");
        line.append(tick);
      }
      for (const block of blocks) {
        for (const node of block.make()) {
          const bare = node.localName === "p" && (!loose || (box && line.childNodes.length === 1));
          for (const each of bare ? [...node.childNodes] : [node]) line.append(each);
        }
      }
      list.append(line);
    });
    return direct(list);
  }

  /** A fold whose first line is `rest`: what it says, and what it folds. Null where it says nothing. */
  function fold(lines, index, rest) {
    let at = index + 1;
    if (empty(rest)) while (at < lines.length && empty(lines[at])) at += 1;
    const match = SUMMARY.exec(empty(rest) ? lines[at] ?? "" : rest);
    if (!match) return null;
    const inner = [match[2]];
    let deep = 1;
    for (at = empty(rest) ? at + 1 : index + 1, deep += weigh(match[2]); at < lines.length && deep > 0; at += 1) {
      deep += weigh(lines[at]);
      inner.push(lines[at]);
    }
    const whole = deep <= 0;
    if (whole) inner.push(inner.pop().replace(/<\/details>[ \t]*$/i, ""));
    return { says: match[1], inner, next: at, whole };
  }
  const weigh = (line) => (FOLD.test(line) ? 1 : 0) - (/<\/details>[ \t]*$/i.test(line) ? 1 : 0);

  function folded({ says, inner, whole }, about, depth) {
    const node = make("details", [make("summary", inline(says.trim(), about)), ...nodes(inner, about, depth + 1)]);
    node.open = !whole; // what has no end would hide all that follows it
    return node;
  }

  const nodes = (lines, about, depth) => scan(lines, { ...about, nested: true }, depth).flatMap((block) => block.make());

  // -- an answer ----------------------------------------------------------------------------------

  const lined = (text) => text.replace(/\r\n?/g, "\n").split("\n");

  /** What one answer's blocks know of each other: the links and notes that it defines. `shift`: of headings; `growing`: more comes. */
  function knowledge(shift, growing = false) {
    const about = { growing, links: new Map(), notes: new Map(), referred: new Set(), order: [], shift };
    const numbers = new Map();
    about.note = (label) => {
      if (!numbers.has(label)) numbers.set(label, about.order.push(label));
      const number = numbers.get(label);
      const node = make("a", [`${number}`]);
      node.href = `#note-${number}`;
      node.className = "noted";
      return make("sup", [node]);
    };
    return about;
  }

  /** The names that stand in brackets, which are those that a definition may be for. */
  function refer(about, text) {
    about.referred.clear();
    if (!about.links.size && !about.notes.size) return;
    for (const [, label] of text.matchAll(/\[\^?([^\][]{1,200})\](?!:)/g)) about.referred.add(Words.name(label));
  }

  /** The notes at the end, those that are referred to. */
  function notes(about) {
    if (!about.order.length) return [];
    const list = make("ol", about.order.map((label) => {
      const lines = about.notes.get(label) ?? [];
      const blocks = nodes(lines, { ...about, note: () => "" }, DEEPEST - 1);
      return make("li", blocks.length === 1 ? blocks[0].childNodes : blocks);
    }));
    const part = make("section", [direct(list)]);
    part.className = "notes";
    return [part];
  }

  return { scan, lined, knowledge, refer, notes, fence, ends, item, paint: null };
})();

/** `text` as a whole. @returns {DocumentFragment} */
function renderMarkdown(text, shift = 1) {
  const lines = Markdown.lined(text), about = Markdown.knowledge(shift), whole = document.createDocumentFragment();
  const blocks = Markdown.scan(lines, about);
  Markdown.refer(about, text);
  for (const block of blocks) for (const node of block.make()) whole.append(node); // one by one: there may be many
  whole.append(...Markdown.notes(about));
  return whole;
}
