// Streaming change of a rate, the same bits however the input is cut.
//
// The filter and the delay are those of data/resample.py, which says where
// they come from: a sinc in a Kaiser window; below 45 % of the lower rate all
// passes, from its half on nothing does, to 90 dB.

const PASS = 0.45;
const STOP = 0.5;
const STOP_DB = 90;

export class Resampler {
  /** Rates in Hz, whole numbers. */
  constructor(source, target) {
    const shared = gcd(source, target);
    this.up = target / shared;
    this.down = source / shared;
    this.filters = source === target ? null : filters(this.up, this.down);
    const size = this.filters === null ? 2 : this.filters[0].length;
    this.reach = size / 2;
    /** Samples, at the target rate, that are held back until more comes. */
    this.delay =
      source === target
        ? 0
        : Math.ceil(((this.reach + 1) * this.up) / this.down) - 1;
    this.size = size;
    this.numIn = 0;
    this.numOut = 0;
    // What a sample out is made of begins so many samples before it.
    this.first = 1 - this.reach;
    this.held = new Float32Array(4096);
    this.numHeld = this.reach - 1;
    this.made = new Float32Array(4096);
  }

  /**
   * Takes the next samples; returns those that are due.
   *
   * They lie in memory that the next call writes over: on the thread of the
   * sound nothing should be thrown away.
   */
  push(samples) {
    this.numIn += samples.length;
    if (this.filters === null) {
      return samples;
    }
    this._hold(samples);
    const { up, down, reach, held, first } = this;
    const until = Math.floor((this.numIn * up) / down) - this.delay;
    const num = Math.max(0, until - this.numOut);
    if (num > this.made.length) {
      this.made = new Float32Array(2 * num);
    }
    for (let place = 0; place < num; place++) {
      const out = this.numOut + place;
      const taps = this.filters[out % up];
      const begin = Math.floor((out * down) / up) - reach + 1 - first;
      let sum = 0;
      for (let tap = 0; tap < taps.length; tap++) {
        sum += held[begin + tap] * taps[tap];
      }
      this.made[place] = sum;
    }
    this.numOut += num;
    this._forget();
    return this.made.subarray(0, num);
  }

  _hold(samples) {
    const needed = this.numHeld + samples.length;
    if (needed > this.held.length) {
      const held = new Float32Array(2 * needed);
      held.set(this.held.subarray(0, this.numHeld));
      this.held = held;
    }
    this.held.set(samples, this.numHeld);
    this.numHeld = needed;
  }

  _forget() {
    const begin = Math.floor((this.numOut * this.down) / this.up);
    const used = begin - this.reach + 1 - this.first;
    this.held.copyWithin(0, used, this.numHeld);
    this.numHeld -= used;
    this.first += used;
  }
}

/** The taps for each place of a sample out between two samples in. */
function filters(up, down) {
  const lower = Math.min(1, up / down);
  const slope = (STOP - PASS) * lower;
  const length = (STOP_DB - 7.95) / (2.285 * 2 * Math.PI * slope);
  const reach = Math.ceil(length / 2);
  const beta = 0.1102 * (STOP_DB - 8.7);
  const found = [];
  for (let out = 0; out < up; out++) {
    const place = ((out * down) % up) / up;
    const taps = new Float64Array(2 * reach);
    let sum = 0;
    for (let tap = 0; tap < taps.length; tap++) {
      const time = place + reach - 1 - tap;
      const inside = Math.max(1 - (time / reach) ** 2, 0);
      const window = bessel(beta * Math.sqrt(inside));
      taps[tap] = sinc((STOP + PASS) * lower * time) * window;
      sum += taps[tap];
    }
    found.push(Float32Array.from(taps, (each) => each / sum));
  }
  return found;
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** The modified Bessel function of the first kind, order 0: its series. */
function bessel(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > 1e-12 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function gcd(a, b) {
  return b === 0 ? a : gcd(b, a % b);
}
