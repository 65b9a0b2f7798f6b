// A client of /v1/live/sessions, which goes on when the connection is lost.
//
//   look       who may come in, before anything is asked of the user
//   open       session.start, on a new session or on a fork of the last one
//   lost       the session is kept by the server; it goes on behind a fork
//   close      session.close, and nothing is kept
//
// serve/protocol/live.py says what the events hold.

import { fromBase64, toBase64 } from "./pcm.js";

const PATH = "v1/live/sessions";

/** Seconds before each further try to connect again. */
const WAITS_S = [0.3, 1, 2, 4, 8, 8, 8, 8, 15, 15, 30, 30, 60, 60];

/** Seconds without a word after which a connection is thought to be dead. */
const DEAD_S = 8;

/** Where no sound was sent for so long, none is answered either. */
const QUIET_S = 2;

/** Bytes that may wait to be sent: some two seconds of sound. */
const CROWDED = 90_000;

/** What a token may hold to be sent as a subprotocol. */
const SENDABLE = /^[\w!#$%&'*+.^`|~-]+$/;

export function isSendable(token) {
  return SENDABLE.test(token);
}

/**
 * What a client would meet: `{status: 200, model, sessions, slots, ...}`, or
 * another status and why; 0: there is no server.
 */
export async function look(token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  try {
    const found = await fetch(new URL(PATH, document.baseURI), {
      headers,
      cache: "no-store",
    });
    return found.ok ? await found.json() : { status: 0 };
  } catch {
    return { status: 0 };
  }
}

/** A conversation, over one connection or several. */
export class Live {
  /**
   * @param options.session what is asked for in session.start.
   * @param options.onState `(state, told)`: "opening", "live", "lost" (told:
   *   {attempt, wait_s}), "over" (told: {code}, as in notice.js).
   * @param options.onEvent of the protocol; sound is unpacked in `pcm`.
   */
  constructor({ token, session, onState, onEvent }) {
    this.token = token;
    this.session = session;
    this.onState = onState;
    this.onEvent = onEvent;
    this.state = "idle";
    this.id = null;
    /** Pieces of sound that were not sent, since too many waited. */
    this.unsent = 0;
    this._attempt = 0;
    this._socket = null;
    this._timer = 0;
    this._refused = null;
    this._reason = null;
    this._sentAt = 0;
    this._closing = false;
    this._online = () => this.state === "lost" && this._dial();
  }

  open() {
    addEventListener("online", this._online);
    this._dial();
  }

  /** Sends sound; false where it is not heard, now or ever. */
  hear(pcm) {
    if (this.state !== "live") {
      return false;
    }
    if (this._socket.bufferedAmount > CROWDED) {
      this.unsent += 1;
      return false;
    }
    this._sentAt = performance.now();
    return this.send("session.input_audio.append", { audio: toBase64(pcm) });
  }

  /** Shows a picture, unless too much waits: an old one is of no use. */
  see(image) {
    if (this._socket?.bufferedAmount < CROWDED / 4) {
      this.send("session.input_image.append", { image });
    }
  }

  read(text) {
    return this.send("session.input_text.append", { text });
  }

  send(type, fields) {
    const open = this._socket?.readyState === WebSocket.OPEN;
    if (this.state !== "live" || this._closing || !open) {
      return false;
    }
    this._socket.send(JSON.stringify({ type, ...fields }));
    return true;
  }

  /** Ends it; the server forgets it. */
  close() {
    if (this.state === "live") {
      this.send("session.close", { store: false });
      this._closing = true;
      // It answers at once, or never.
      clearTimeout(this._timer);
      this._timer = setTimeout(() => this._end("closed"), 2000);
      return;
    }
    this._end("closed");
  }

  /** Tries at once where it would have waited. */
  retry() {
    this._attempt = 0;
    this._dial();
  }

  _dial() {
    this._hang_up();
    this._refused = null;
    if (this._attempt === 0 && this.id === null) {
      this._become("opening");
    }
    const path = this.id === null ? PATH : `${PATH}/${this.id}/fork`;
    const url = new URL(path, document.baseURI);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const protocols = ["realtime"];
    if (this.token) {
      protocols.push(`openai-insecure-api-key.${this.token}`);
    }
    const socket = new WebSocket(url, protocols);
    this._socket = socket;
    socket.onopen = () => {
      const event = { type: "session.start", session: this.session };
      socket.send(JSON.stringify(event));
    };
    socket.onmessage = ({ data }) => this._take(JSON.parse(data));
    socket.onclose = ({ code }) => this._lose(code);
    this._watch();
  }

  _take(event) {
    this._watch();
    if (event.type === "session.started") {
      this.id = event.session.id;
      this._attempt = 0;
      this.onEvent(event);
      this._become("live");
    } else if (event.type === "session.output_audio.delta") {
      this.onEvent({ ...event, pcm: fromBase64(event.delta) });
    } else if (event.type === "error" && this.state !== "live") {
      this._refuse(event.error);
    } else {
      if (event.type === "session.closed") {
        this._reason = event.reason;
      }
      this.onEvent(event);
    }
  }

  _refuse(error) {
    if (error.code === "session_not_found" && this.id !== null) {
      this._end("forgotten");
      return;
    }
    this._refused = error;
    if (!["server_full", "server_not_ready"].includes(error.code)) {
      this._end("refused", error.message);
    }
  }

  _lose(code) {
    if (this.state === "over") {
      return;
    }
    if (code === 1000) {
      this._end(this._reason === "expired" ? "expired" : "closed");
    } else if (this._refused !== null && this.id === null) {
      this._end(this._refused.code);
    } else if (this._attempt >= WAITS_S.length) {
      this._end("lost");
    } else {
      const wait_s = WAITS_S[this._attempt];
      this._attempt += 1;
      this._hang_up();
      this._become("lost", { attempt: this._attempt, wait_s });
      this._timer = setTimeout(() => this._dial(), 1000 * wait_s);
    }
  }

  /** Waits for a word; the end of a network is told by nothing else. */
  _watch() {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => {
      const since_s = (performance.now() - this._sentAt) / 1000;
      if (this.state === "live" && since_s > QUIET_S) {
        this._watch();
      } else {
        this._lose(1006);
      }
    }, 1000 * DEAD_S);
  }

  _hang_up() {
    clearTimeout(this._timer);
    const socket = this._socket;
    this._socket = null;
    if (socket !== null) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  _end(code, message) {
    if (this.state === "over") {
      return;
    }
    removeEventListener("online", this._online);
    this._hang_up();
    this._become("over", { code, message });
  }

  _become(state, told = {}) {
    this.state = state;
    this.onState(state, told);
  }
}
