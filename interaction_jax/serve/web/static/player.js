// On the thread of the sound: what the model says, without gaps.

import { JitterBuffer } from "./jitter.js";
import { toFloats } from "./pcm.js";
import { Resampler } from "./resample.js";

/** Seconds from one report of how it goes to the next. */
const REPORT_S = 0.25;

class Player extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate } }) {
    super();
    this.rate = Math.round(sampleRate);
    this.source = rate;
    this.resampler = new Resampler(rate, this.rate);
    this.buffer = new JitterBuffer(this.rate);
    this.unreported = 0;
    this.port.onmessage = ({ data }) => {
      if (data === "clear") {
        this.clear();
      } else {
        this.buffer.push(this.resampler.push(toFloats(data)));
      }
    };
  }

  /** The voice begins anew, as it does behind a connection that was lost. */
  clear() {
    this.resampler = new Resampler(this.source, this.rate);
    this.buffer.clear();
  }

  process(_, [[output]]) {
    this.buffer.pull(output);
    this.unreported += output.length;
    if (this.unreported >= REPORT_S * this.rate) {
      this.unreported = 0;
      const { waiting, margin, gaps, dropped, played } = this.buffer;
      this.port.postMessage({
        waiting_ms: (1000 * waiting) / this.rate,
        margin_ms: (1000 * margin) / this.rate,
        played_s: played / this.rate,
        dropped_s: dropped / this.rate,
        gaps,
      });
    }
    return true;
  }
}

registerProcessor("player", Player);
