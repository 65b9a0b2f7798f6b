// What the timeline shows before anybody spoke: a talk that nobody had.

import { BARS, History } from "./history.js";
import { TURN_S } from "./turns.js";

/** Who speaks when, in seconds: the model answers, and once both speak. */
const USER = [[0.6, 2.6], [5.6, 8.4], [12.2, 13.6]];
const MODEL = [[3.2, 4.8], [7.6, 10.8], [13.2, 15.4]];

/** A history with loudness and a gate, and without a word. */
export function sketch() {
  const history = new History();
  fill(history.user, USER, 1);
  fill(history.model, MODEL, 2);
  const num = Math.ceil(16 / TURN_S);
  for (let index = 0; index < num; index++) {
    const t = (index + 1) * TURN_S;
    const near = Math.min(...MODEL.map(([from, to]) => distance(t, from, to)));
    history.turns[index] = {
      speaks: near === 0,
      gate: 1 / (1 + Math.exp(12 * (near - 0.2))),
      compute_ms: 50 + 30 * noise(index, 3),
      deadline_ms: 200,
      late: false,
      lost: false,
      saw: false,
    };
  }
  return history;
}

function fill(voice, spans, seed) {
  voice.num = Math.ceil((16 / TURN_S) * BARS);
  voice.bars = new Float32Array(voice.num);
  for (let n = 0; n < voice.num; n++) {
    const t = (n * TURN_S) / BARS;
    const span = spans.find(([from, to]) => t >= from && t < to);
    if (span !== undefined) {
      const edge = Math.min(t - span[0], span[1] - t);
      // Syllables, some four a second, none like the other.
      const syllable = Math.abs(Math.sin(Math.PI * 2.1 * t + seed));
      const level = (0.15 + 0.5 * syllable) * (0.5 + noise(n, seed));
      voice.bars[n] = 0.5 * level * Math.min(1, 4 * edge + 0.1);
    }
  }
}

function distance(t, from, to) {
  return Math.max(from - t, t - to, 0);
}

/** A number from 0 to 1, the same every time. */
function noise(n, seed) {
  const wild = Math.sin(n * 12.9898 + seed * 78.233) * 43758.5453;
  return wild - Math.floor(wild);
}
