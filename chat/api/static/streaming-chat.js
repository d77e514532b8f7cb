// A client for streaming chats: one file, no build step. It exports nothing and defines `StreamingChat` for
// all, so that one file serves both `<script src="streaming-chat.js">` and `import "./streaming-chat.js"`.
//
//   const chat = new StreamingChat("chat/stream");
//   await chat.sendMessage("Hello", (piece) => …, (text) => …, (error) => …);
//   chat.stop();
//
// It reads /chat/stream, /api/message and /stream-chat (docs/http.md), data lines of bare text, and, with
// the header `Accept: text/plain`, bare bodies. A line that breaks is taken up again where it was, by the
// frames' ids: nothing is lost, doubled or asked of a model twice.

globalThis.StreamingChat = (() => {
  "use strict";

  /**
   * @typedef {object} Options
   * @property {Record<string, string>} [headers] sent with each request
   * @property {Record<string, unknown>} [body] fields beside the message: `model`, `system`, …
   * @property {string} [conversation] id of the conversation to go on in
   * @property {(event: Record<string, any>) => void} [onEvent] each object of the stream as it came:
   *   `{thinking}`, `{function_result, name, id}`, `{json_data}`, `{notice}` …; also `{opened: {run, conversation}}`
   *   and `{retrying: {attempt, delay}}`, in milliseconds
   * @property {number} [retries] tries in a row to take a broken line up again: 8, some 25 seconds
   * @property {boolean} [text] data lines are text, whatever they look like; known of /stream-chat
   *
   * @typedef {Error & {sentence: string, text: string, status?: number, kind?: string, retryAfter?: number}}
   *   Failure `sentence`: the message without "HTTP 429: ". `text`: what had come. `retryAfter`: seconds
   * @typedef {{state: "complete" | "stopped", stop: string | null, run: string | null,
   *   conversation: string | null}} Ending `stop`: why a complete answer ended. All of it is there with "end",
   *   and perhaps not with "length", "filter", "refusal", "pause", "other"; bare text does not say: `null`
   */

  const DONE = "[DONE]";
  const ROUTE = /(?:chat\/stream(?:\/[^/]*)?|api\/message|stream-chat)\/?$/;
  const QUIET = 20_000; // milliseconds without a byte: the server lets 5 pass at most
  const STEADY = 10_000; // milliseconds after which a line that still speaks counts as one that holds
  const LINGER = 2_000; // milliseconds that a stopped answer has to end by itself
  const PATIENCE = 30; // seconds at most between two tries, whatever the server asks for
  const pause = (attempt) => Math.min(5_000, 250 * 2 ** (attempt - 1)) * (0.75 + Math.random() / 2);

  /** @returns {Failure} */
  const failure = (sentence, more = {}) =>
    Object.assign(new Error(sentence), { name: "StreamingChatError", sentence, text: "", ...more });

  /** In seconds; NaN where the server does not say. */
  const retryAfter = ({ headers }) => parseInt(headers.get("Retry-After") ?? "", 10);

  const sentenceOf = ({ error, detail }) =>
    [error?.message, error, detail].find((each) => each && typeof each === "string") ?? "";

  /** What a status that is no answer says. */
  async function refusal(response) {
    const body = await response.text().catch(() => "");
    const { status } = response, seconds = retryAfter(response);
    let said = {};
    try {
      said = JSON.parse(body) ?? {};
    } catch {
      if (!body.includes("<")) said.error = body.trim().slice(0, 300);
    }
    const told = sentenceOf(said), tell = seconds >= 0 && !/again in /i.test(told);
    const sentence = (tell ? `${told} Try again in ${seconds} seconds.` : told).trim();
    const fault = failure(`HTTP ${status}${sentence && `: ${sentence}`}`, { status, kind: said.kind });
    if (seconds >= 0) fault.retryAfter = seconds;
    return Object.assign(fault, { sentence: sentence || `The server answered with HTTP ${status}.` });
  }

  /**
   * Server-sent events out of text that comes in any pieces, as the HTML standard reads them. An event
   * that has no empty line after it has not been sent whole, and is none.
   * @param {(data: string | null, id: string | null) => void} dispatch `null` data: an id alone
   */
  function eventReader(dispatch) {
    let rest = "", returned = false, data = [], id = null;
    const take = (line) => {
      if (line === "") {
        if (data.length || id !== null) dispatch(data.length ? data.join("\n") : null, id);
        data = [];
        id = null;
        return;
      }
      const colon = line.indexOf(":");
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
      if (name === "data") data.push(value);
      else if (name === "id" && !value.includes("\0")) id = value;
    };
    return (/** @type {string} */ piece) => {
      if (!piece) return;
      // A carriage return ends a line at once; the line feed after it may be in the next piece.
      if (returned && piece[0] === "\n") piece = piece.slice(1);
      returned = piece.endsWith("\r");
      const lines = (rest + piece).split(/\r\n|\r|\n/);
      rest = lines.pop();
      lines.forEach(take);
    };
  }

  /** One answer, read to its end over as many connections as it takes. */
  class Answer {
    text = "";
    run = null;
    stopped = false;
    ending = null; // what the last frame says: "end", "length" …
    #ended = false;
    #failed = null; // what a frame said went wrong
    #objects = false; // whether the frames are objects, which name their end
    #marked = false; // in bare text: the last line was [DONE]. Only the end, if nothing follows
    #frames = 0;
    #heard = 0; // when the last bytes came
    #last = null; // id of the last whole frame
    #line = new AbortController();
    #wake = () => {};
    #freeing = null;

    constructor(url, body, options, said) {
      Object.assign(this, { url, body, options, said });
      this.plain = options.text ?? /\/stream-chat\/?$/.test(url.pathname);
    }

    /** Returns at the end, said or stopped. Throws a `Failure`. */
    async read() {
      const { retries = 8 } = this.options;
      for (let attempt = 0; !this.stopped; ) {
        const began = performance.now(), had = this.#frames;
        const wait = await this.#connect();
        if (this.stopped || this.#ended) break;
        if (this.#frames > had || this.#heard - began > STEADY) attempt = 0;
        attempt += 1;
        if (attempt > retries) {
          const lost = "The connection was lost, and cannot be made again.";
          throw failure(this.run ? lost : "The server cannot be reached.");
        }
        const delay = Math.max(pause(attempt), 1000 * Math.min(wait || 0, PATIENCE));
        this.said.event({ retrying: { attempt, delay } });
        await this.#rest(delay);
      }
      if (this.#failed) throw this.#failed;
      if (this.#freeing && !(await this.#freeing)) {
        throw failure("Stopped here, but the server could not be told: it may go on with this answer.");
      }
    }

    /** Returns when the answer or the line has ended; in seconds how long the server wants to be left alone. */
    async #connect() {
      const headers = { Accept: "text/event-stream", "Content-Type": "application/json", ...this.options.headers };
      const again = this.run !== null;
      if (again) headers["Last-Event-ID"] = this.#last ?? `${this.run}/0`;
      this.#line = new AbortController();
      const asked = { method: "POST", body: this.body, headers, cache: "no-store", signal: this.#line.signal };
      const watch = () => setTimeout(() => this.#line.abort(), QUIET);
      const late = again ? watch() : 0; // a first answer may take its time: it cannot be asked for again
      const response = await fetch(this.url, asked).catch(() => null);
      clearTimeout(late);
      if (!response) return undefined;
      if (again && response.status === 204) this.#ended = true;
      if (this.#ended) return undefined;
      if (again && [429, 502, 503, 504].includes(response.status)) return retryAfter(response);
      if (!response.ok) throw await refusal(response);
      const type = (response.headers.get("Content-Type") ?? "").split(";")[0];
      const bare = type === "text/plain";
      if (type && !bare && type !== "text/event-stream") {
        throw failure(`The server answered with ${type}, not with a stream. It may want a login first.`);
      }
      const reader = response.body?.getReader?.();
      if (!reader) throw failure("This browser gives no reader for an answer that arrives in pieces.");

      this.run ??= response.headers.get("Run-Id");
      const conversation = response.headers.get("Conversation-Id");
      this.said.event({ opened: { run: this.run, conversation } });
      if (this.stopped && this.run) this.#free();

      let known = bare ? this.text.length : 0; // bare text has no ids: it comes from the beginning again
      const take = bare
        ? (piece) => {
            const old = Math.min(known, piece.length);
            known -= old;
            this.#add(piece.slice(old));
          }
        : eventReader((data, id) => {
            if (data !== null) this.#frame(data);
            if (id !== null) this.#last = id;
          });
      const decoder = new TextDecoder();
      try {
        while (!this.#ended) {
          const timer = this.run && !bare ? watch() : 0;
          const read = await reader.read().catch(() => null);
          clearTimeout(timer);
          if (!read) break;
          this.#heard = performance.now();
          take(decoder.decode(read.value, { stream: !read.done }));
          // Objects say themselves where they end; bare text ends where the server closes.
          if (read.done) this.#ended ||= bare || this.plain || (!this.#objects && this.text !== "");
          if (read.done) break;
        }
      } finally {
        reader.cancel().catch(() => {});
      }
      this.#ended ||= this.#failed !== null || this.#marked;
      if (this.#ended || this.run || this.stopped) return undefined;
      throw failure("The connection broke off before the end of the answer.");
    }

    #frame(data) {
      if (this.#ended) return;
      this.#frames += 1;
      if (this.plain) {
        if (this.#marked) this.#add(DONE);
        this.#marked = data === DONE;
        if (!this.#marked) this.#add(data);
        return;
      }
      if (data === DONE) return void (this.#ended = true);
      let value;
      try {
        value = JSON.parse(data);
      } catch {
        return this.#add(data);
      }
      if (value === null || typeof value !== "object" || Array.isArray(value)) return this.#add(data);
      this.#objects = true;
      const { content, chunk, full_response: whole } = value;
      if (typeof (content ?? chunk) === "string") this.#add(content ?? chunk);
      if (typeof whole === "string" && whole.startsWith(this.text)) this.#add(whole.slice(this.text.length));
      if (value.error) this.#failed ??= failure(sentenceOf(value) || "The answer failed.", { kind: value.kind });
      this.said.event(value);
      if (!value.done && !value.end) return;
      this.#ended = true;
      if (value.state === "stopped") this.stopped = true; // by somebody else
      else this.ending = typeof value.stop === "string" ? value.stop : "end";
    }

    #add(piece) {
      if (!piece) return;
      this.#frames += 1;
      this.text += piece;
      this.said.chunk(piece);
    }

    stop() {
      if (this.stopped) return;
      this.stopped = true;
      this.#wake();
      if (this.run) this.#free();
      // Without a run there is nothing to name yet; the server may be about to.
      setTimeout(() => this.#line.abort(), this.run || this.#frames === 0 ? LINGER : 0);
    }

    /** Tells the server, and so frees the provider; whether that worked. The stream then ends by itself. */
    #free() {
      this.#freeing ??= (async () => {
        const { href } = this.url;
        const url = new URL(`runs/${encodeURIComponent(this.run)}/stop`, href.split("?")[0].replace(ROUTE, ""));
        const { headers } = this.options;
        for (let attempt = 1; attempt < 4; attempt += 1) {
          const signal = AbortSignal.timeout(LINGER);
          const response = await fetch(url, { method: "POST", headers, keepalive: true, signal }).catch(() => null);
          if (response?.ok || response?.status === 404) return true;
          await new Promise((resolve) => setTimeout(resolve, pause(attempt)));
        }
        return false;
      })();
    }

    /** Until the time is over, the browser is online again, or somebody stops; nothing of it stays behind. */
    async #rest(delay) {
      const over = new AbortController();
      let timer;
      await new Promise((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, delay);
        globalThis.addEventListener?.("online", resolve, { once: true, signal: over.signal });
      });
      clearTimeout(timer);
      over.abort();
    }
  }

  return class StreamingChat {
    /** Id of the conversation that the next message goes on in; `null` begins a new one. @type {string | null} */
    conversation;
    #answer = null;

    /** @param {string | URL} endpoint relative to the page @param {Options} [options] */
    constructor(endpoint = "chat/stream", options = {}) {
      this.endpoint = endpoint;
      this.options = options;
      this.conversation = options.conversation ?? null;
    }

    /** Whether an answer is being written. */
    get streaming() {
      return this.#answer !== null;
    }

    /**
     * Asks, and resolves with the whole text; a stop is an end like another. Without `onError` a failure
     * rejects; with it, it goes there, and the promise resolves with the text so far.
     * @param {string} message
     * @param {(piece: string) => void} [onChunk]
     * @param {(text: string, ending: Ending) => void} [onComplete]
     * @param {(error: Failure) => void} [onError]
     * @returns {Promise<string>}
     */
    async sendMessage(message, onChunk, onComplete, onError) {
      let answer = null;
      try {
        if (this.#answer) throw failure("Already streaming: wait for the end of this answer, or stop it.");
        answer = this.#answer = new Answer(this.#url(), this.#body(message), this.options, {
          chunk: (piece) => onChunk?.(piece),
          event: (event) => {
            this.conversation = event.opened?.conversation ?? this.conversation;
            this.options.onEvent?.(event);
          },
        });
        await answer.read();
      } catch (error) {
        if (answer) this.#answer = null;
        error.text = answer?.text ?? "";
        if (!onError) throw error;
        onError(error);
        return error.text;
      }
      this.#answer = null; // first: who is told may ask again at once
      const { run, stopped, text } = answer, stop = stopped ? null : answer.ending;
      onComplete?.(text, { state: stopped ? "stopped" : "complete", stop, run, conversation: this.conversation });
      return text;
    }

    /** Ends the answer that is being written, here and at its provider. `sendMessage` then completes. */
    stop() {
      this.#answer?.stop();
    }

    #url() {
      return new URL(this.endpoint, globalThis.document?.baseURI);
    }

    #body(message) {
      const { body } = this.options;
      const conversation = body?.history || !this.conversation ? {} : { conversation: this.conversation };
      // A request that is lost before its answer began is sent again: by its key it is the same one.
      const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(36)).join("");
      return JSON.stringify({ ...body, ...conversation, message, key });
    }
  };
})();
