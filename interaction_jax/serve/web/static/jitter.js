// A buffer between a network that comes in pieces and a loudspeaker that asks
// for the next samples every few milliseconds.
//
//   waits    until the first samples are `margin` old, so that the next pieces
//            may be as late as that
//   plays    one sample after the other
//   runs dry the last sample fades out, a gap is counted, the margin grows and
//            it waits again
//
// A margin that is more than was needed for seconds is given back where it is
// quiet, which nobody hears. Nothing that was pushed is flushed: the Live
// protocol has no word for it. A model that is interrupted stops by itself.

const LEAST_MS = 60;
const MOST_MS = 500;
/** How fast a margin that is not needed is given up, in ms. */
const EASE_MS = 10;
/** Seconds over which it is judged whether one is. */
const WATCHED_S = 4;
/** What is more than this waits is too late to be heard. */
const LATEST_S = 3;
const FADE_MS = 4;
/** Below this nobody hears that some samples are left out. */
const QUIET = 0.003;

export class JitterBuffer {
  /** @param {number} rate of the samples, in Hz. */
  constructor(rate) {
    this.rate = rate;
    this.margin = this._samples(LEAST_MS);
    /** How often it ran dry, and what was left out because it was too late. */
    this.gaps = 0;
    this.dropped = 0;
    /** Samples that were heard. */
    this.played = 0;
    this._ring = new Float32Array(2 * LATEST_S * rate);
    this._fade = 1 / this._samples(FADE_MS);
    this.clear();
  }

  /** Forgets what waits. */
  clear() {
    this._read = 0;
    this.waiting = 0;
    this._playing = false;
    this._age = 0;
    this._last = 0;
    this._gain = 0;
    this._least = Infinity;
    this._watched = 0;
    this._surplus = 0;
  }

  /** Takes samples that came; they are copied. */
  push(samples) {
    if (this._playing) {
      this._least = Math.min(this._least, this.waiting);
    }
    const ring = this._ring;
    // Of a piece longer than the ring only its end could ever be heard.
    const from = Math.max(0, samples.length - ring.length);
    this.dropped += from;
    const late = this.waiting + samples.length - from - LATEST_S * this.rate;
    if (late > 0) {
      this._skip(Math.min(late, this.waiting));
      this.dropped += Math.min(late, this.waiting);
    }
    let at = (this._read + this.waiting) % ring.length;
    for (let place = from; place < samples.length; place++) {
      ring[at] = samples[place];
      at = at + 1 === ring.length ? 0 : at + 1;
    }
    this.waiting += samples.length - from;
  }

  /** Fills `out` with the next samples. */
  pull(out) {
    if (!this._playing && this.waiting > 0) {
      if (this._age >= this.margin) {
        this._playing = true;
        this._watched = 0;
        this._least = Infinity;
      }
      this._age += out.length;
    }
    if (this._playing) {
      this._giveBack(out.length);
    }
    for (let place = 0; place < out.length; place++) {
      out[place] = this._playing ? this._next() : this._fadeOut();
    }
  }

  _next() {
    if (this.waiting === 0) {
      this._runDry();
      return this._fadeOut();
    }
    const value = this._ring[this._read];
    this._skip(1);
    this.played += 1;
    this._gain = Math.min(1, this._gain + this._fade);
    this._last = value * this._gain;
    return this._last;
  }

  _fadeOut() {
    this._gain = Math.max(0, this._gain - this._fade);
    return this._last * this._gain;
  }

  _runDry() {
    this._playing = false;
    this._age = 0;
    this.gaps += 1;
    const grown = 1.5 * this.margin;
    this.margin = Math.min(grown, this._samples(MOST_MS));
  }

  /** Leaves out what is quiet while more waits than has to. */
  _giveBack(num) {
    this._watched += num;
    if (this._watched >= WATCHED_S * this.rate) {
      const spare = this._least - this.margin;
      const step = this._samples(EASE_MS);
      if (spare > 2 * step && spare < Infinity) {
        this._surplus = spare - step;
      }
      if (spare > 0) {
        this.margin = Math.max(this.margin - step, this._samples(LEAST_MS));
      }
      this._watched = 0;
      this._least = Infinity;
    }
    while (this._surplus >= num && this.waiting > 2 * num && this._quiet(num)) {
      this._skip(num);
      this._surplus -= num;
    }
  }

  _quiet(num) {
    for (let place = 0; place < num; place++) {
      const at = (this._read + place) % this._ring.length;
      if (Math.abs(this._ring[at]) > QUIET) {
        return false;
      }
    }
    return true;
  }

  _skip(num) {
    this._read = (this._read + num) % this._ring.length;
    this.waiting -= num;
  }

  _samples(ms) {
    return Math.round((ms * this.rate) / 1000);
  }
}
