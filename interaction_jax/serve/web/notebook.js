// The microphone of a page of Colab, and a session in its Python.
//
// Pieces of sound go over `google.colab.kernel.invokeFunction`, one call at a
// time: what comes meanwhile goes with the next. The answers are played one
// behind the other.

function converse(root, { name, rate, samples }) {
  const lateS = 0.3;
  const button = document.createElement("button");
  const state = document.createElement("span");
  const heard = document.createElement("p");
  const said = document.createElement("p");
  root.append(button, " ", state, heard, said);
  const lines = { show: heard, say: said };
  let context = null;
  let microphone = null;
  let waiting = [];
  let busy = false;
  let end = 0;
  reset("");

  button.onclick = () => (context === null ? start() : stop());

  function reset(text) {
    button.textContent = "Speak";
    state.textContent = text;
  }

  async function start() {
    context = new AudioContext({ sampleRate: rate });
    heard.textContent = "";
    said.textContent = "";
    end = 0;
    try {
      microphone = await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: true, channelCount: 1 },
      });
      await capture();
    } catch (error) {
      await stop();
      reset(`No microphone: ${error.message}`);
      return;
    }
    button.textContent = "Stop";
    state.textContent = "listening";
  }

  async function stop() {
    microphone?.getTracks().forEach((track) => track.stop());
    await context?.close();
    context = null;
    microphone = null;
    waiting = [];
    reset("");
  }

  async function capture() {
    const code = `registerProcessor("pieces", class extends AudioWorkletProcessor {
      constructor() {
        super();
        this.piece = new Float32Array(${samples});
        this.filled = 0;
      }
      process([[input]]) {
        for (const level of input ?? []) {
          this.piece[this.filled++] = level;
          if (this.filled === this.piece.length) {
            this.port.postMessage(this.piece.slice());
            this.filled = 0;
          }
        }
        return true;
      }
    });`;
    const url = URL.createObjectURL(
      new Blob([code], { type: "text/javascript" }),
    );
    await context.audioWorklet.addModule(url);
    URL.revokeObjectURL(url);
    const pieces = new AudioWorkletNode(context, "pieces", {
      numberOfOutputs: 0,
    });
    pieces.port.onmessage = ({ data }) => {
      waiting.push(data);
      send();
    };
    context.createMediaStreamSource(microphone).connect(pieces);
  }

  async function send() {
    if (busy || context === null || waiting.length === 0) {
      return;
    }
    busy = true;
    const pieces = waiting;
    waiting = [];
    try {
      const { kernel } = google.colab;
      const told = await kernel.invokeFunction(name, [encode(pieces)], {});
      answer(told.data["application/json"], pieces.length);
    } catch (error) {
      await stop();
      reset(`Python did not answer: ${error.message}`);
    }
    busy = false;
    send();
  }

  function answer({ voice, events, compute_ms }, num) {
    if (context === null) {
      return;
    }
    for (const { kind, text } of events) {
      if (kind in lines) {
        lines[kind].textContent += text;
      }
    }
    const longest = Math.max(0, ...compute_ms);
    state.textContent = `${num} at once, ${longest} ms a turn`;
    play(decode(voice));
  }

  function play(sound) {
    if (sound.length === 0) {
      return;
    }
    const buffer = context.createBuffer(1, sound.length, rate);
    buffer.copyToChannel(sound, 0);
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(context.destination);
    // Behind what is playing; a little later where that has run dry.
    const now = context.currentTime;
    end = end < now ? now + lateS : end;
    source.start(end);
    end += buffer.duration;
  }

  function encode(pieces) {
    const pcm = new Int16Array(pieces.length * samples);
    pieces.forEach((piece, place) => {
      piece.forEach((level, at) => {
        const whole = Math.round(level * 32768);
        pcm[place * samples + at] = Math.max(-32768, Math.min(32767, whole));
      });
    });
    let text = "";
    for (const byte of new Uint8Array(pcm.buffer)) {
      text += String.fromCharCode(byte);
    }
    return btoa(text);
  }

  function decode(text) {
    const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    return Float32Array.from(new Int16Array(bytes.buffer), (l) => l / 32768);
  }
}
