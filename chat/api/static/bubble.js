// An answer at /embed: its notes (thoughts, tools), its text, and the line below that says how it stands.
const Bubble = (() => {
  const make = (kind, name, text = "") => {
    const node = document.createElement(kind);
    node.className = name;
    node.textContent = text;
    return node;
  };
  const ENDINGS = JSON.parse(document.body.dataset.endings); // as in chat/outcomes.py, by the answer's `stop`
  const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;

  class Bubble {
    #began = performance.now();
    #said = "";
    #drawing = null;
    #asked = false; // whether a frame will draw what was said
    #first = 0;
    #thinking = null;
    #pondered = 0;
    #noted = new Set();

    /** @param {Element} place that it is the last of */
    constructor(place) {
      this.node = make("article", "message");
      this.node.dataset.role = "assistant";
      this.node.dataset.state = "running";
      this.node.setAttribute("aria-busy", "true");
      this.notes = this.node.appendChild(make("div", "notes"));
      this.text = this.node.appendChild(make("div", "text whole"));
      this.text.dataset.answer = "";
      this.line = this.node.appendChild(make("p", "line", "Waiting for the first word"));
      this.line.setAttribute("role", "status");
      place.append(this.node);
    }

    event(event) {
      if (event.thinking) {
        if (!this.#thinking) {
          this.#thinking = this.notes.appendChild(make("details", "note"));
          this.#thinking.append(make("summary", "", "Thoughts"), make("p", ""));
          this.#pondered = performance.now();
        }
        this.#thinking.lastChild.append(event.thinking);
        this.say("Thinking");
      }
      if ("function_result" in event) {
        this.#thought();
        this.#used(event.name, event.function_result);
      }
      if (event.notice) this.#note(event.notice);
      if (event.retrying) this.say("The connection was lost. Connecting again");
      if (event.opened && !this.#first) this.say("Waiting for the first word");
    }

    #used(tool, result) {
      const value = JSON.stringify(result) ?? "";
      this.notes.append(make("p", "note", `${tool ?? "tool"} → ${value.slice(0, 300)}`));
    }

    /** Below the text: what was not as asked for. Once, however often it is said. */
    #note(text) {
      if (this.#noted.has(text)) return;
      this.#noted.add(text);
      this.line.before(make("p", "note", text));
    }

    /** Thoughts that come after this are new ones. */
    #thought() {
      if (!this.#thinking) return;
      this.#thinking.firstChild.textContent = `Thought for ${seconds(performance.now() - this.#pondered)}`;
      this.#thinking = null;
    }

    add(piece) {
      this.#thought();
      this.#first ||= performance.now();
      this.#said += piece;
      this.say("Writing");
      if (this.#asked) return;
      this.#asked = true;
      requestAnimationFrame(() => {
        this.#asked = false;
        if (this.node.dataset.state === "running") this.#draw(this.#said, false);
      });
    }

    say(phase) {
      if (this.line.textContent !== phase) this.line.textContent = phase;
    }

    /** `state`: complete, stopped or failed; `why` it failed, in a sentence; the `stop` of a complete one. */
    end(state, text, why = null, stop = null) {
      this.#thought();
      const first = this.#first ? this.#first - this.#began : null;
      this.#over(state, text, why, stop, first, performance.now() - this.#began);
    }

    /** An answer of before, as a conversation's export has it. */
    kept({ parts, notices, state, stop, failure, seconds: taken, first_text: first }) {
      const text = parts.filter(({ type }) => type === "text").map((part) => part.text).join("");
      for (const { type, began, ended, name, result, error, ...part } of parts) {
        if (type === "tool_call") this.#used(name, error === null ? result : { error });
        if (type !== "thinking" || !part.text) continue;
        const note = this.notes.appendChild(make("details", "note"));
        const pondered = 1000 * ((ended ?? began) - began);
        note.append(make("summary", "", `Thought for ${seconds(pondered)}`), make("p", "", part.text));
      }
      for (const notice of notices) this.#note(notice.text);
      const fine = state === "complete" || state === "stopped";
      const why = fine ? null : failure?.message ?? "This answer was cut off.";
      this.#over(fine ? state : "failed", text, why, stop, first === null ? null : 1000 * first, 1000 * taken);
    }

    #over(state, text, why, stop, first, taken) {
      this.node.dataset.state = state;
      this.node.removeAttribute("aria-busy");
      this.#draw(text, true);
      if (text) this.#copy(text);
      const before = first === null ? "" : `${seconds(first)} to first word · `;
      const how = state === "stopped" ? "Stopped" : ENDINGS[stop] ?? "Done";
      this.say(why ?? `${before}${seconds(taken)} · ${how[0].toLowerCase()}${how.slice(1)}`);
    }

    #draw(text, over) {
      this.#drawing ??= new Drawing(this.text, 1);
      this.#drawing.draw(text, over);
    }

    /** Gives what the model wrote. The style sheet writes on the button. */
    #copy(text) {
      const button = make("button", "copy");
      button.type = "button";
      button.setAttribute("aria-label", "Copy answer");
      button.addEventListener("click", async () => {
        await Clipboard.put(text);
        button.setAttribute("aria-label", "Copied");
        setTimeout(() => button.setAttribute("aria-label", "Copy answer"), 2000);
      });
      this.line.after(button);
    }

    /** The one button below a failure. */
    offer(words, act) {
      const button = this.line.appendChild(make("button", "again", words));
      button.type = "button";
      button.addEventListener("click", () => act() && button.remove());
    }

    /** Who is not known any more signs in again; where nobody does, a new cookie comes with the page. */
    lost(text) {
      const { signin } = document.body.dataset;
      this.end("failed", text, signin ? "You are signed out." : "This page is not known here any more.");
      if (!signin) return this.offer("Load the page again", () => location.reload());
      const link = this.line.appendChild(make("a", "again", "Sign in"));
      link.href = `${signin}?next=${encodeURIComponent(`embed${location.search}`)}`;
    }
  }

  return Bubble;
})();
