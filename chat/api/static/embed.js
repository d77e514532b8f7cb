// The page at /embed: what a site needs around the client to show a conversation. Text enters the page as
// text only; markdown.js makes elements of it once it is whole.
(() => {
  const $ = (id) => document.getElementById(id);
  const log = $("log"), messages = $("messages"), box = $("question"), send = $("send"), stop = $("stop");

  const make = (kind, name, text = "") => {
    const node = document.createElement(kind);
    node.className = name;
    node.textContent = text;
    return node;
  };
  const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;

  // -- following the text, until the reader looks elsewhere ------------------------------------

  const NEAR = 48; // pixels
  let following = true, drawn = 0, top = 0;
  const far = () => log.scrollHeight - log.clientHeight - log.scrollTop;
  const follow = () => {
    cancelAnimationFrame(drawn);
    drawn = requestAnimationFrame(() => {
      if (following) log.scrollTop = log.scrollHeight;
      $("newest").hidden = following;
    });
  };
  log.addEventListener("scroll", () => {
    // Text that grew below is no step of the reader's; only a way up is.
    if (far() < NEAR) following = true;
    else if (log.scrollTop < top) following = false;
    top = log.scrollTop;
    $("newest").hidden = following;
  });
  new ResizeObserver(follow).observe(messages);
  new ResizeObserver(follow).observe(log);
  $("newest").addEventListener("click", () => {
    following = true;
    follow();
  });

  // -- one answer -------------------------------------------------------------------------------

  class Bubble {
    #began = performance.now();
    #first = 0;
    #thinking = null;
    #pondered = 0;

    constructor() {
      this.node = make("article", "message");
      this.node.dataset.role = "assistant";
      this.node.dataset.state = "running";
      this.node.setAttribute("aria-busy", "true");
      this.notes = this.node.appendChild(make("div", "notes"));
      this.text = this.node.appendChild(make("div", "text"));
      this.words = this.text.appendChild(document.createTextNode(""));
      this.line = this.node.appendChild(make("p", "line", "Waiting for the first word"));
      this.line.setAttribute("role", "status");
      messages.append(this.node);
    }

    event(event) {
      if (event.thinking) {
        if (!this.#thinking) {
          this.#thinking = this.notes.appendChild(make("details", "note"));
          this.#thinking.append(make("summary", "", "Thinking"), make("p", ""));
          this.#pondered = performance.now();
        }
        this.#thinking.lastChild.append(event.thinking);
        this.say("Thinking");
      }
      if ("function_result" in event) {
        const value = JSON.stringify(event.function_result) ?? "";
        this.#thought();
        this.notes.append(make("p", "note", `${event.name ?? "tool"} → ${value.slice(0, 300)}`));
      }
      if (event.retrying) this.say("The connection was lost. Connecting again");
      if (event.opened && !this.#first) this.say("Waiting for the first word");
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
      this.words.appendData(piece);
      this.say("Writing");
    }

    say(phase) {
      if (this.line.textContent !== phase) this.line.textContent = phase;
    }

    /** `state`: complete, stopped or failed. */
    end(state, text, fault) {
      this.#thought();
      this.node.dataset.state = state;
      this.node.removeAttribute("aria-busy");
      this.text.replaceChildren(renderMarkdown(text));
      this.text.classList.add("whole");
      const first = this.#first ? `${seconds(this.#first - this.#began)} to first word · ` : "";
      const taken = `${first}${seconds(performance.now() - this.#began)}`;
      this.say(fault ? fault.sentence ?? fault.message : `${taken} · ${state === "stopped" ? "stopped" : "done"}`);
    }

    /** The one button below a failure. */
    offer(words, act) {
      const button = this.line.appendChild(make("button", "again", words));
      button.type = "button";
      button.addEventListener("click", () => act() && button.remove());
    }
  }

  $("welcome").replaceChildren(renderMarkdown($("welcome").textContent));

  // -- the conversation -------------------------------------------------------------------------

  const model = new URLSearchParams(location.search).get("model"); // /embed?model=… asks that one
  const fresh = () => {
    const onEvent = (event) => chat.bubble.event(event);
    const chat = new StreamingChat("chat/stream", { onEvent, body: model ? { model } : {} });
    return chat;
  };
  let chat = fresh();

  const running = (yes) => {
    const focused = document.activeElement === (yes ? send : stop);
    send.hidden = yes;
    stop.hidden = !yes;
    stop.disabled = false;
    stop.textContent = "Stop";
    if (focused) (yes ? stop : box).focus();
  };

  /** Whether it was asked: while an answer is being written nothing is. */
  function ask(question) {
    if (chat.streaming || !question.trim()) return false;
    $("empty").hidden = true;
    const said = messages.appendChild(make("article", "message", question));
    said.dataset.role = "user";
    const asked = chat, shown = (chat.bubble = new Bubble());
    following = true;
    follow();
    running(true);
    chat.sendMessage(
      question,
      (piece) => shown.add(piece),
      (text, { state }) => shown.end(state, text),
      (error) => {
        if (error.status === 404) asked.conversation = null; // deleted elsewhere: the next one begins anew
        shown.end("failed", error.text, error);
        // Who is not known any more gets a new cookie, or the login, with the page.
        if (error.status === 401) shown.offer("Load the page again", () => location.reload());
        else shown.offer("Ask again", () => ask(question));
      },
    ).finally(() => asked === chat && running(false));
    return true;
  }

  const fit = () => {
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight + 2}px`;
  };
  box.addEventListener("input", fit);
  box.addEventListener("keydown", (event) => {
    // Enter that ends a composition (Japanese, Chinese …) belongs to it; 229 is how Safari says so.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    $("ask").requestSubmit();
  });
  $("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!ask(box.value)) return;
    box.value = "";
    fit();
  });
  const halt = () => {
    stop.disabled = true;
    stop.textContent = "Stopping";
    chat.stop();
  };
  stop.addEventListener("click", halt);
  for (const example of $("empty").querySelectorAll("button")) {
    example.addEventListener("click", () => {
      ask(example.textContent);
      log.focus();
    });
  }
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && chat.streaming) halt();
  });
  $("new").addEventListener("click", () => {
    chat.stop();
    chat = fresh();
    messages.replaceChildren();
    $("empty").hidden = false;
    running(false);
    box.focus();
  });
  send.disabled = false; // what is sent before all this stands would be a form's, and lost
})();
