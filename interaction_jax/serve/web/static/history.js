// All of a session that a timeline shows, by its time in seconds.

import { RATE } from "./sound.js";
import { TURN_S } from "./turns.js";

/** Bars of a voice in a turn. */
export const BARS = 5;
const BAR = (TURN_S * RATE) / BARS;

/** The loudness of one voice, bar by bar, from 0 to 1. */
class Voice {
  constructor() {
    this.bars = new Float32Array(1024);
    this.num = 0;
  }

  add(at, pcm) {
    const last = Math.floor((at + pcm.length - 1) / BAR);
    if (last >= this.bars.length) {
      const bars = new Float32Array(2 * last);
      bars.set(this.bars);
      this.bars = bars;
    }
    for (let place = 0; place < pcm.length; place++) {
      const bar = Math.floor((at + place) / BAR);
      const level = Math.abs(pcm[place]) / 32768;
      if (level > this.bars[bar]) {
        this.bars[bar] = level;
      }
    }
    this.num = Math.max(this.num, last + 1);
  }
}

export class History {
  constructor() {
    this.user = new Voice();
    this.model = new Voice();
    /** By index: {speaks, gate, compute_ms, deadline_ms, late, lost, saw}. */
    this.turns = [];
    /** {t, text} of words, in order. */
    this.words = { user: [], model: [] };
    /** {from, to, state, label} by number; `to` is null while it goes on. */
    this.jobs = new Map();
    /** {t, label} of other things worth a mark. */
    this.marks = [];
    /** Seconds that were heard. */
    this.heard = 0;
  }

  /** Seconds until which there is something. */
  get end() {
    return Math.max(this.heard, (this.turns.length + 1) * TURN_S);
  }

  /** @param {number} at sample of the session. */
  hear(at, pcm) {
    this.user.add(at, pcm);
    this.heard = Math.max(this.heard, (at + pcm.length) / RATE);
  }

  /** @param turn as turns.js has it. */
  add(turn) {
    this.model.add(Math.round(turn.t * RATE), turn.pcm);
    const { speaks, gate, compute_ms, deadline_ms, saw } = turn;
    this.turns[turn.index] = {
      speaks,
      // It is a logit; what it says is a probability.
      gate: 1 / (1 + Math.exp(-gate)),
      compute_ms,
      deadline_ms,
      late: turn.latency_ms > deadline_ms,
      lost: Math.max(...turn.lost) > 0,
      saw,
    };
    for (const { side, text } of turn.texts) {
      this._write(this.words[side], turn.t, text);
    }
  }

  /** What the user typed, as the model reads it. */
  read(t, text) {
    this.words.user.push({ t, text: text.trim(), typed: true });
  }

  job(report, t) {
    const { job, task, state } = report;
    const known = this.jobs.get(job) ?? { from: t, label: task };
    const goes_on = state === "started" || state === "partial";
    this.jobs.set(job, { ...known, state, to: goes_on ? null : t });
  }

  mark(t, label) {
    this.marks.push({ t, label });
  }

  /** Adds words; what begins without a space belongs to the last one. */
  _write(words, t, text) {
    const last = words.at(-1);
    const near = last && !last.typed && t - last.t <= 2 * TURN_S;
    const parts = text.match(/\s*\S+/g) ?? [];
    if (near && parts.length > 0 && !/^\s/.test(parts[0])) {
      last.text += parts.shift();
    }
    words.push(...parts.map((part) => ({ t, text: part.trim() })));
  }
}
