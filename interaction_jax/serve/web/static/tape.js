// The session as files: made here, and sent to nobody.

import { RATE } from "./sound.js";

/** Samples of a block; those that are over leave the memory of the page. */
const BLOCK = 10 * RATE;

/** Both voices, user left and model right, at their times in the session. */
export class Tape {
  constructor() {
    this._blocks = [];
    this._length = 0;
    this._lines = [];
  }

  get seconds() {
    return this._length / RATE;
  }

  /** @param {number} at sample of the session. */
  hear(at, pcm) {
    this._write(at, pcm, 0);
  }

  say(at, pcm) {
    this._write(at, pcm, 1);
  }

  /** @param events as events.jsonl has them. */
  note(events) {
    this._lines.push(...events.map((event) => JSON.stringify(event)));
  }

  /** A WAV file. */
  sound() {
    const bytes = 4 * this._length;
    const whole = new Blob(this._blocks);
    return new Blob([header(bytes), whole.slice(0, bytes)], {
      type: "audio/wav",
    });
  }

  /** An events.jsonl, as `interaction-jax talk` writes it. */
  events() {
    const text = this._lines.map((line) => `${line}\n`).join("");
    return new Blob([text], { type: "application/jsonl" });
  }

  _write(at, pcm, side) {
    for (let from = 0; from < pcm.length; ) {
      const block = this._block(Math.floor((at + from) / BLOCK));
      const begin = (at + from) % BLOCK;
      const num = Math.min(pcm.length - from, BLOCK - begin);
      if (block !== null) {
        for (let place = 0; place < num; place++) {
          block[2 * (begin + place) + side] = pcm[from + place];
        }
      }
      from += num;
    }
    this._length = Math.max(this._length, at + pcm.length);
  }

  /** A block that may be written to; null: it is too old. */
  _block(index) {
    while (this._blocks.length <= index) {
      this._blocks.push(new Int16Array(2 * BLOCK));
      const old = this._blocks.length - 4;
      if (old >= 0) {
        this._blocks[old] = new Blob([this._blocks[old]]);
      }
    }
    const block = this._blocks[index];
    return block instanceof Blob ? null : block;
  }
}

/** Offers a file to be kept. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // What is being written down must stay a while.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function header(bytes) {
  const view = new DataView(new ArrayBuffer(44));
  const text = (at, word) =>
    [...word].forEach((each, i) => view.setUint8(at + i, each.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + bytes, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 2, true);
  view.setUint32(24, RATE, true);
  view.setUint32(28, 4 * RATE, true);
  view.setUint16(32, 4, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, bytes, true);
  return view.buffer;
}
