// A picture of the talk: both voices and both texts, gate, jobs, and time.
//
//   You     words                     what was heard, and its text
//           |||||||  ||||
//   gate    ____/~~~~\____            how much the model wants to speak
//   nano        ||||||||              what it says
//           words
//   jobs    [====]      [=====        at work in the background
//   turn    . . : . . .               milliseconds of 200 that it took
//
// The same strokes draw what scrolls on the page and the file that is kept.

import { BARS } from "./history.js";
import { TURN_S } from "./turns.js";

/** Heights of the lanes in CSS pixels; voices share what is left. */
const WORDS = 40;
const GATE = 24;
const JOBS = 24;
const COST = 30;
const AXIS = 20;
const GUTTER = 52;
const WORD_FONT = "500 13px system-ui, sans-serif";
const FAINT_FONT = "11px system-ui, sans-serif";

/** Seconds behind the present that are shown, for what is about to be heard. */
const AHEAD_S = 0.5;

const LANES = 2;

/** Below this a voice is silent, as far as one can see. */
const QUIET = 0.012;

/** A stretch of time, `from` to `to`, in a box {x, y, width, height}. */
class Strokes {
  constructor(pen, history, { names, ink, box, from, to }) {
    Object.assign(this, { pen, history, names, ink, box, from, to });
    this.left = box.x + GUTTER;
    this.perSecond = (box.width - GUTTER) / (to - from);
    const fixed = 2 * WORDS + GATE + JOBS + COST + AXIS;
    const voice = Math.max(24, (box.height - fixed) / 2);
    let y = box.y;
    const lane = (height) => {
      const found = { y, height, middle: y + height / 2 };
      y += height;
      return found;
    };
    this.lanes = {
      userWords: lane(WORDS),
      user: lane(voice),
      gate: lane(GATE),
      model: lane(voice),
      modelWords: lane(WORDS),
      jobs: lane(JOBS),
      cost: lane(COST),
      axis: lane(AXIS),
    };
  }

  draw(now) {
    const { pen, box, left, lanes, ink, history } = this;
    this.labels();
    pen.save();
    pen.beginPath();
    pen.rect(left, box.y, box.width - GUTTER, box.height);
    pen.clip();
    this.columns();
    this.voice(lanes.user, history.user, ink.user);
    this.gate();
    this.voice(lanes.model, history.model, ink.model);
    this.words(lanes.userWords, history.words.user, ink.userText, "bottom");
    this.words(lanes.modelWords, history.words.model, ink.modelText, "top");
    this.jobs();
    this.cost();
    this.axis();
    if (now !== null) {
      this.present(now);
    }
    pen.restore();
  }

  at(t) {
    return this.left + (t - this.from) * this.perSecond;
  }

  labels() {
    const { pen, ink, lanes, names, box } = this;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    const label = (lane, text, colour, font) => {
      pen.font = font;
      pen.fillStyle = colour;
      pen.fillText(text, box.x + GUTTER - 10, lane.middle, GUTTER - 12);
    };
    const bold = "600 12px system-ui, sans-serif";
    label(lanes.user, names.user, ink.userText, bold);
    label(lanes.model, names.model, ink.modelText, bold);
    label(lanes.gate, "gate", ink.soft, FAINT_FONT);
    label(lanes.jobs, "jobs", ink.soft, FAINT_FONT);
    label(lanes.cost, "ms", ink.soft, FAINT_FONT);
  }

  /** Indices of the turns that are audible within sight. */
  *visible() {
    const first = Math.max(0, Math.floor(this.from / TURN_S) - 1);
    const last = Math.ceil(this.to / TURN_S);
    for (let index = first; index <= last; index++) {
      const turn = this.history.turns[index];
      if (turn !== undefined) {
        yield [index, turn, this.at((index + 1) * TURN_S)];
      }
    }
  }

  /** A hairline for each turn, and a ground where the model speaks. */
  columns() {
    const { pen, ink, lanes, from, to, box } = this;
    const width = TURN_S * this.perSecond;
    const top = lanes.user.y;
    const bottom = lanes.model.y + lanes.model.height;
    if (width > 6) {
      pen.fillStyle = ink.line;
      pen.globalAlpha = 0.55;
      for (let n = Math.ceil(from / TURN_S); n * TURN_S < to; n++) {
        pen.fillRect(Math.round(this.at(n * TURN_S)), top, 1, bottom - top);
      }
      pen.globalAlpha = 1;
    }
    for (const [, turn, x] of this.visible()) {
      if (turn.speaks) {
        pen.fillStyle = ink.model;
        pen.globalAlpha = 0.09;
        pen.fillRect(x, lanes.model.y, width + 0.5, lanes.model.height);
      }
      if (turn.lost) {
        pen.fillStyle = ink.alarm;
        pen.globalAlpha = 0.12;
        pen.fillRect(x - width, lanes.user.y, width, lanes.user.height);
      }
      pen.globalAlpha = 1;
    }
    pen.fillStyle = ink.line;
    for (const lane of [lanes.user, lanes.model]) {
      pen.fillRect(this.left, Math.round(lane.middle), box.width, 1);
    }
  }

  voice(lane, voice, colour) {
    const { pen, from, to } = this;
    const bar = TURN_S / BARS;
    // Where bars are narrower than a pixel, the loudest of some stands there.
    const step = Math.max(1, Math.ceil(2 / (bar * this.perSecond)));
    const wide = step * bar * this.perSecond;
    const thick = Math.max(1, wide * 0.62);
    const first = Math.max(0, Math.floor(from / bar / step) * step);
    const last = Math.min(voice.num, Math.ceil(to / bar));
    pen.fillStyle = colour;
    pen.beginPath();
    for (let n = first; n < last; n += step) {
      let level = 0;
      for (let k = n; k < Math.min(last, n + step); k++) {
        level = Math.max(level, voice.bars[k]);
      }
      // Loudness is heard in steps of equal parts, about.
      const loud = Math.min(1, 1.25 * level ** 0.6);
      const height = Math.max(level > QUIET ? 2 : 0, loud * (lane.height - 6));
      if (height > 0) {
        const x = this.at(n * bar) + (wide - thick) / 2;
        const y = lane.middle - height / 2;
        pen.roundRect(x, y, thick, height, thick / 2);
      }
    }
    pen.fill();
  }

  gate() {
    const { pen, ink, lanes } = this;
    const { y, height } = lanes.gate;
    const bottom = y + height - 4;
    const width = TURN_S * this.perSecond;
    pen.beginPath();
    let end = null;
    for (const [, turn, x] of this.visible()) {
      const top = bottom - turn.gate * (height - 8);
      if (end === null) {
        pen.moveTo(x, bottom);
      }
      pen.lineTo(x, top);
      pen.lineTo(x + width, top);
      end = x + width;
    }
    if (end === null) {
      return;
    }
    pen.strokeStyle = pen.fillStyle = ink.gate;
    pen.lineWidth = 1.25;
    pen.stroke();
    pen.lineTo(end, bottom);
    pen.globalAlpha = 0.18;
    pen.fill();
    pen.globalAlpha = 1;
  }

  words(lane, words, colour, side) {
    const { pen } = this;
    pen.font = WORD_FONT;
    pen.fillStyle = colour;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    // Some that are out of sight to the left may reach into it.
    let place = after(words, this.from - 8);
    for (; place < words.length && words[place].t < this.to; place++) {
      const row = this.lane(words, place);
      if (row >= 0) {
        const near = side === "bottom" ? LANES - 1 - row : row;
        const y = lane.y + (near + 0.5) * (lane.height / LANES);
        pen.fillText(words[place].text, this.at(words[place].t), y);
      }
    }
  }

  /** In which row a word stands, so that none covers another; -1: in none. */
  lane(words, place) {
    const word = words[place];
    const width = (this.pen.measureText(word.text).width + 7) / this.perSecond;
    if (word.row !== undefined && word.width === width) {
      return word.row;
    }
    const free = new Array(LANES).fill(-Infinity);
    for (let k = Math.max(0, place - 8); k < place; k++) {
      const { row, t, width: wide } = words[k];
      if (row >= 0) {
        free[row] = Math.max(free[row], t + wide);
      }
    }
    word.width = width;
    word.row = free.findIndex((until) => until <= word.t);
    return word.row;
  }

  jobs() {
    const { pen, ink, lanes, history } = this;
    const { y, height } = lanes.jobs;
    pen.font = FAINT_FONT;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    for (const { from, to, label, state } of history.jobs.values()) {
      const [x, end] = [this.at(from), this.at(to ?? history.heard)];
      if (end < this.left || from > this.to) {
        continue;
      }
      pen.fillStyle = state === "failed" ? ink.alarm : ink.gate;
      pen.globalAlpha = 0.2;
      pen.beginPath();
      pen.roundRect(x, y + 3, Math.max(6, end - x), height - 6, 6);
      pen.fill();
      pen.globalAlpha = 1;
      pen.fillStyle = ink.ink;
      const begin = Math.max(x, this.left) + 6;
      pen.fillText(label.slice(0, 60), begin, y + height / 2);
    }
    pen.fillStyle = ink.video;
    for (const [, turn, x] of this.visible()) {
      if (turn.saw) {
        pen.beginPath();
        pen.arc(x, y + height - 4, 2, 0, 7);
        pen.fill();
      }
    }
    for (const { t } of history.marks) {
      if (t >= this.from && t <= this.to) {
        pen.fillStyle = ink.soft;
        pen.fillRect(this.at(t), lanes.user.y, 1, y - lanes.user.y);
      }
    }
  }

  /** What each turn took of the time that it may take. */
  cost() {
    const { pen, ink, lanes } = this;
    const { y, height } = lanes.cost;
    const width = Math.max(1.5, TURN_S * this.perSecond - 3);
    const room = height - 8;
    pen.fillStyle = ink.line;
    for (let x = this.left; x < this.left + this.box.width; x += 6) {
      pen.fillRect(x, y + 4, 3, 1);
    }
    for (const [, turn, x] of this.visible()) {
      const part = Math.min(1, turn.compute_ms / turn.deadline_ms);
      const tall = Math.max(1.5, part * room);
      pen.fillStyle = turn.late ? ink.alarm : ink.soft;
      pen.globalAlpha = turn.late ? 1 : 0.65;
      pen.fillRect(x + 1, y + 4 + room - tall, width, tall);
    }
    pen.globalAlpha = 1;
  }

  axis() {
    const { pen, ink, lanes, from, to } = this;
    const steps = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600];
    const step = steps.find((each) => each * this.perSecond > 56) ?? 7200;
    pen.font = FAINT_FONT;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillStyle = ink.soft;
    for (let n = Math.max(0, Math.ceil(from / step)); n * step < to; n++) {
      const x = this.at(n * step);
      // Half a time would be another one.
      if (x > this.left + 14) {
        pen.fillText(face(n * step), x, lanes.axis.middle + 1);
      }
    }
  }

  present(now) {
    const { pen, ink, lanes } = this;
    const x = Math.round(this.at(now));
    pen.fillStyle = ink.ink;
    pen.globalAlpha = 0.5;
    pen.fillRect(x, lanes.user.y, 1, lanes.jobs.y - lanes.user.y);
    pen.globalAlpha = 1;
    pen.beginPath();
    pen.arc(x + 0.5, lanes.user.y, 3, 0, 7);
    pen.fill();
  }
}

export class Timeline {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param names of both sides: {user, model}.
   */
  constructor(canvas, names) {
    this.canvas = canvas;
    this.names = names;
    this.history = null;
    /** Seconds at the right edge; null: it goes along with the present. */
    this.until = null;
    this._ink = null;
    const themes = matchMedia("(prefers-color-scheme: dark)");
    themes.addEventListener("change", () => (this._ink = null));
  }

  get perSecond() {
    return this.canvas.clientWidth < 600 ? 56 : 84;
  }

  /** Seconds that are seen at once. */
  get span() {
    return Math.max(1, (this.canvas.clientWidth - GUTTER) / this.perSecond);
  }

  /** @param {number | null} now seconds of the session; null: it is over. */
  draw(now) {
    const { canvas, history } = this;
    const { clientWidth: width, clientHeight: height } = canvas;
    const scale = devicePixelRatio || 1;
    const size = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) {
      [canvas.width, canvas.height] = size;
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    if (history === null || width === 0) {
      return;
    }
    this._ink ??= inkOf(canvas);
    const live = (now ?? history.end - AHEAD_S) + AHEAD_S;
    const to = Math.max(this.until ?? live, this.span);
    const box = { x: 0, y: 0, width, height };
    new Strokes(pen, history, {
      names: this.names,
      ink: this._ink,
      box,
      from: to - this.span,
      to,
    }).draw(now);
  }
}

/** Pixels of a picture that is kept; browsers draw no larger ones. */
const PICTURE = { width: 1600, row: 330, rows: 24, gap: 26, margin: 40 };

/** The whole session as a PNG, in rows. */
export async function picture(history, { names, title, ink }) {
  const { width, row, rows, gap, margin } = PICTURE;
  const room = width - 2 * margin;
  const seconds = Math.max(history.end, 1);
  // As on the page, or so much finer that all of it fits.
  const span = Math.max((room - GUTTER) / 84, seconds / rows);
  const num = Math.ceil(seconds / span);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = 2 * margin + 24 + num * (row + gap);
  const pen = canvas.getContext("2d");
  pen.fillStyle = ink.card;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = ink.ink;
  pen.font = "600 17px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.fillText(title, margin, margin);
  const words = Object.values(history.words).flat();
  // Rows of words on the page depend on how wide a second is there.
  words.forEach(forget);
  for (let n = 0; n < num; n++) {
    const y = margin + 24 + n * (row + gap);
    const box = { x: margin, y, width: room, height: row };
    const [from, to] = [n * span, (n + 1) * span];
    new Strokes(pen, history, { names, ink, box, from, to }).draw(null);
  }
  words.forEach(forget);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function forget(word) {
  word.row = word.width = undefined;
}

/** The colours of the page, where an element stands. */
export function inkOf(element) {
  const style = getComputedStyle(element);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    card: colour("card"),
    ink: colour("ink"),
    soft: colour("soft"),
    line: colour("line"),
    user: colour("user"),
    userText: colour("user-text"),
    model: colour("model"),
    modelText: colour("model-text"),
    gate: colour("gate"),
    video: colour("video"),
    alarm: colour("alarm"),
  };
}

/** Seconds as people write them. */
export function face(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const pad = (number) => `${number}`.padStart(2, "0");
  const [minutes, rest] = [Math.floor(whole / 60), pad(whole % 60)];
  if (minutes < 60) {
    return `${minutes}:${rest}`;
  }
  return `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${rest}`;
}

/** The first of `words` that is not before `t`. */
function after(words, t) {
  let [low, high] = [0, words.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    [low, high] = words[middle].t < t ? [middle + 1, high] : [low, middle];
  }
  return low;
}
