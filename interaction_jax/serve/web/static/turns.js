// Events of the protocol put together into micro-turns.
//
//   output_audio.delta | transcripts | channels | microturn   -> one turn
//
// A turn is {index, t, pcm, speaks, gate, compute_ms, latency_ms, deadline_ms,
// lost, saw, texts: [{side, text}], read, written, events}: `t` is when it is
// audible, in seconds of the session; `read` and `written` are events of the
// channels, `events` lines of an events.jsonl.

export const TURN_S = 0.2;

export class Turns {
  constructor() {
    this._speaking = false;
    this._clear();
  }

  /** Takes an event; returns the turn that is complete with it, or null. */
  take(event) {
    switch (event.type) {
      case "session.output_audio.delta":
        this._pcm = event.pcm;
        return null;
      case "session.input_transcript.delta":
        this._texts.push({ side: "user", text: event.delta });
        return null;
      case "session.output_transcript.delta":
        this._texts.push({ side: "model", text: event.delta });
        return null;
      case "session.channel.delta":
        this._written.push(event);
        return null;
      case "session.channel.read":
        this._read.push(event);
        return null;
      case "session.microturn":
        return this._complete(event);
      default:
        return null;
    }
  }

  _complete(event) {
    const { index, state, gate, compute_ms, latency_ms, deadline_ms } = event;
    const speaks = state === "speak";
    const t = event.t_ms / 1000;
    const turn = {
      index,
      t,
      pcm: this._pcm,
      speaks,
      gate,
      compute_ms,
      latency_ms,
      deadline_ms,
      lost: event.lost,
      saw: event.saw === true,
      texts: this._texts,
      read: this._read,
      written: this._written,
      events: this._events(index, t, speaks),
    };
    this._clear();
    return turn;
  }

  _events(index, t, speaks) {
    const found = this._read.map((one) => ({
      t: one.t_ms / 1000,
      turn: index,
      kind: one.channel,
      payload: { text: one.text, ...one.about },
    }));
    if (this._speaking && !speaks) {
      found.push({ t, turn: index, kind: "speak_stop", payload: {} });
    }
    for (const { channel, delta } of this._written) {
      found.push({ t, turn: index, kind: channel, payload: { text: delta } });
    }
    if (speaks && !this._speaking) {
      found.push({ t, turn: index, kind: "speak_start", payload: {} });
    }
    this._speaking = speaks;
    return found;
  }

  _clear() {
    this._pcm = new Int16Array(0);
    this._texts = [];
    this._written = [];
    this._read = [];
  }
}
