// One conversation: microphone, camera and loudspeaker on one side, the server
// on the other, and what happened in between.

import { Camera } from "./camera.js";
import { History } from "./history.js";
import { Live } from "./live.js";
import { PIECE, RATE, Sound } from "./sound.js";
import { Tape } from "./tape.js";
import { TURN_S, Turns } from "./turns.js";

const TURN = TURN_S * RATE;

export class Talk {
  /**
   * @param options.offer what the server told of itself.
   * @param options.video that shows what the camera sees.
   * @param options.on {state, started, turn, report, trouble, note}: functions.
   */
  constructor({ token, offer, instructions, video, on }) {
    this.offer = offer;
    this.on = on;
    this.history = new History();
    this.tape = new Tape();
    this.turns = new Turns();
    this.sound = null;
    this.camera = new Camera(video, (image) => this.live.see(image));
    /** How the loudspeaker does, and how late turns were. */
    this.report = { waiting_ms: 0, gaps: 0 };
    this.late = 0;
    this.last = null;
    /** Samples of the session that were heard, and when the last came. */
    this._heard = 0;
    this._heardAt = 0;
    this.live = new Live({
      token,
      session: {
        audio: { format: { type: "audio/pcm", rate: RATE } },
        extensions: offer.extensions.filter(
          (name) => name !== "background" || offer.background,
        ),
        // Kept for as long as it takes to connect again.
        store: true,
        ...(instructions && { instructions }),
      },
      onState: (state, told) => this._become(state, told),
      onEvent: (event) => this._take(event),
    });
  }

  /**
   * Begins; has to be called by a click or a key.
   *
   * @param options.device of the microphone: an id, "" for the usual one, null
   *   for none.
   * @throws {SoundError} there is no sound to be had.
   */
  async start({ device }) {
    this.sound = await Sound.open({
      onPiece: (pcm) => this._hear(pcm),
      onReport: (report) => (this.report = report),
    });
    try {
      if (device !== null) {
        await this.listen(device);
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
    if (this.live.state === "over") {
      // Somebody changed his mind while he was asked for the microphone.
      await this.stop();
    } else {
      this.live.open();
    }
  }

  async listen(device) {
    await this.sound.listen(device, () => {
      this.sound?.deafen();
      this.on.trouble("gone_microphone");
    });
  }

  async look() {
    await this.camera.open(this.offer.video, () => {
      this.camera.close();
      this.on.trouble("gone_camera");
    });
  }

  /** Ends it. */
  end() {
    this.live.close();
  }

  /** Gives microphone, camera and loudspeaker back. */
  async stop() {
    this.camera.close();
    const sound = this.sound;
    this.sound = null;
    await sound?.close();
  }

  /** Seconds of the session, as smooth as the clock of the machine. */
  now() {
    const heard = this._heard / RATE;
    if (this.live.state !== "live") {
      return heard;
    }
    const since = (performance.now() - this._heardAt) / 1000;
    return heard + Math.min(since, (2 * PIECE) / RATE);
  }

  _hear(pcm) {
    // The tape first: what is sent is not lent.
    if (this.live.hear(pcm)) {
      this.tape.hear(this._heard, pcm);
      this.history.hear(this._heard, pcm);
      this._heard += pcm.length;
      this._heardAt = performance.now();
    }
  }

  _become(state, told) {
    if (state === "over") {
      this.stop();
    } else if (state === "lost") {
      this.sound?.clear();
    }
    this.on.state(state, told);
  }

  _take(event) {
    switch (event.type) {
      case "session.started":
        // Behind a fork its time goes on where it was.
        this._heard = Math.round((event.session.t_ms / 1000) * RATE);
        this.on.started(event.session);
        break;
      case "session.output_audio.delta":
        this.sound?.play(event.pcm);
        break;
      case "session.background.report":
        this.history.job(event, event.t_ms / 1000);
        this.on.report(event);
        break;
      case "info":
      case "error":
        this.on.note((event.error ?? event).message);
        break;
    }
    const turn = this.turns.take(event);
    if (turn !== null) {
      this._complete(turn);
    }
  }

  _complete(turn) {
    this.last = turn;
    this.late += turn.latency_ms > turn.deadline_ms;
    this.tape.say((turn.index + 1) * TURN, turn.pcm);
    this.tape.note(turn.events);
    this.history.add(turn);
    for (const { channel, text } of turn.read) {
      if (channel === "user_text") {
        this.history.read(turn.t, text);
      }
    }
    this.on.turn(turn);
  }
}
