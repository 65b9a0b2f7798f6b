// The microphone and the loudspeaker, through worklets of our own.
//
//   microphone -> capture -> PCM16, 40 ms a piece -> `onPiece`
//   PCM16 -> `play` -> player (jitter buffer) -> loudspeaker

/** Of all sound on the wire, in Hz: what a model hears and speaks. */
export const RATE = 16000;

/** Seconds in which a loudspeaker starts, if there is one. */
const START_S = 4;

/** Samples of a piece: a turn is five of them. */
export const PIECE = 640;

/** Why there is no microphone; `code` is one of notice.js. */
export class SoundError extends Error {
  constructor(code, cause) {
    super(code, { cause });
    this.code = code;
  }
}

export class Sound {
  /** Use `Sound.open`. */
  constructor(context, { onPiece, onReport }) {
    this.context = context;
    this.stream = null;
    this.source = null;
    this.capture = new AudioWorkletNode(context, "capture", {
      processorOptions: { rate: RATE, samples: PIECE },
      outputChannelCount: [1],
    });
    this.player = new AudioWorkletNode(context, "player", {
      numberOfInputs: 0,
      processorOptions: { rate: RATE },
      outputChannelCount: [1],
    });
    this.capture.port.onmessage = ({ data }) => onPiece(data);
    this.player.port.onmessage = ({ data }) => onReport(data);
    // The capture says nothing; but what leads nowhere is not run everywhere.
    this.capture.connect(context.destination);
    this.player.connect(context.destination);
  }

  /**
   * Opens the loudspeaker; has to be called by a click or a key.
   *
   * @throws {SoundError} why there is no sound.
   */
  static async open(listeners) {
    if (!("AudioWorkletNode" in globalThis)) {
      // Browsers have worklets, as they have microphones, for secure pages.
      throw new SoundError(isSecureContext ? "no_sound" : "insecure");
    }
    const context = new AudioContext({ latencyHint: "interactive" });
    try {
      await Promise.all([
        context.audioWorklet.addModule(new URL("capture.js", import.meta.url)),
        context.audioWorklet.addModule(new URL("player.js", import.meta.url)),
      ]);
      await started(context);
      return new Sound(context, listeners);
    } catch (error) {
      await context.close();
      throw error instanceof SoundError
        ? error
        : new SoundError("no_sound", error);
    }
  }

  /**
   * Asks for the microphone.
   *
   * @param {string} device its id; empty: the usual one.
   * @throws {SoundError} there is none to be had.
   */
  async listen(device, onEnded) {
    const audio = {
      channelCount: 1,
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
      ...(device && { deviceId: { exact: device } }),
    };
    const stream = await ask({ audio });
    if (this.context.state === "closed") {
      // It was closed while the user was asked.
      stop(stream);
      return;
    }
    this.deafen();
    this.stream = stream;
    this.source = this.context.createMediaStreamSource(stream);
    this.source.connect(this.capture);
    for (const track of stream.getTracks()) {
      track.onended = onEnded;
    }
  }

  /** Gives the microphone back; silence is heard from now on. */
  deafen() {
    this.source?.disconnect();
    stop(this.stream);
    this.source = this.stream = null;
  }

  mute(muted) {
    this.capture.port.postMessage({ muted });
  }

  play(pcm) {
    this.player.port.postMessage(pcm);
  }

  /** What was to be played is not played any more. */
  clear() {
    this.player.port.postMessage("clear");
  }

  async close() {
    this.deafen();
    this.capture.port.onmessage = this.player.port.onmessage = null;
    if (this.context.state !== "closed") {
      await this.context.close();
    }
  }
}

/** Waits until the loudspeaker goes; without one a browser may wait forever. */
function started(context) {
  return new Promise((resolve, reject) => {
    const late = () => reject(new SoundError("no_speaker"));
    const timer = setTimeout(late, 1000 * START_S);
    context
      .resume()
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}

/**
 * Asks for a microphone or a camera.
 *
 * @throws {SoundError} why there is none.
 */
export async function ask(wanted) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new SoundError("insecure");
  }
  try {
    return await navigator.mediaDevices.getUserMedia(wanted);
  } catch (error) {
    const what = wanted.video ? "camera" : "microphone";
    throw new SoundError(`${REASONS[error.name] ?? "busy"}_${what}`, error);
  }
}

const REASONS = {
  NotAllowedError: "refused",
  SecurityError: "refused",
  NotFoundError: "no",
  OverconstrainedError: "no",
};

export function stop(stream) {
  for (const track of stream?.getTracks() ?? []) {
    track.onended = null;
    track.stop();
  }
}
