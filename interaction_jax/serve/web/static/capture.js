// On the thread of the sound: what the microphone hears, as PCM16 in pieces.
//
// Without a microphone, or with one that was taken away, it is silence: time
// goes on, and what is typed is read.

import { toPcm } from "./pcm.js";
import { Resampler } from "./resample.js";

class Capture extends AudioWorkletProcessor {
  constructor({ processorOptions: { rate, samples } }) {
    super();
    this.resampler = new Resampler(Math.round(sampleRate), rate);
    this.piece = new Float32Array(samples);
    this.filled = 0;
    this.muted = false;
    this.mono = new Float32Array(128);
    this.port.onmessage = ({ data }) => {
      this.muted = data.muted;
    };
  }

  process([input], [[output]]) {
    const heard = this.resampler.push(this.mix(input, output.length));
    for (let place = 0; place < heard.length; ) {
      const room = this.piece.length - this.filled;
      const num = Math.min(heard.length - place, room);
      this.piece.set(heard.subarray(place, place + num), this.filled);
      place += num;
      this.filled += num;
      if (this.filled === this.piece.length) {
        const pcm = toPcm(this.piece);
        this.port.postMessage(pcm, [pcm.buffer]);
        this.filled = 0;
      }
    }
    return true;
  }

  mix(channels, num) {
    if (this.mono.length !== num) {
      this.mono = new Float32Array(num);
    }
    this.mono.fill(0);
    for (const channel of this.muted ? [] : channels) {
      for (let place = 0; place < num; place++) {
        this.mono[place] += channel[place] / channels.length;
      }
    }
    return this.mono;
  }
}

registerProcessor("capture", Capture);
