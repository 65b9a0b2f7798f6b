// What the camera sees, as small pictures; the model sees two in a turn.

import { ask, stop } from "./sound.js";

/** Milliseconds from one picture to the next. */
const EVERY_MS = 100;
const QUALITY = 0.8;

export class Camera {
  /**
   * @param {HTMLVideoElement} view that shows what is seen.
   * @param {(image: string) => void} onPicture a JPEG as a data URI.
   */
  constructor(view, onPicture) {
    this.view = view;
    this.onPicture = onPicture;
    this.canvas = document.createElement("canvas");
    this.stream = null;
    this.timer = 0;
    this._wanted = null;
  }

  /**
   * @param {{width: number, height: number}} size that the model sees.
   * @throws {SoundError} there is none to be had.
   */
  async open(size, onEnded) {
    // Twice as fine: what is fitted on the other side is then still sharp.
    const [width, height] = [2 * size.width, 2 * size.height];
    this.close();
    const mine = (this._wanted = {});
    const stream = await ask({
      video: {
        facingMode: "user",
        width: { ideal: Math.max(320, width) },
        height: { ideal: Math.max(240, height) },
      },
    });
    if (this._wanted !== mine) {
      // It was closed while the user was asked.
      stop(stream);
      return;
    }
    for (const track of stream.getTracks()) {
      track.onended = onEnded;
    }
    this.stream = this.view.srcObject = stream;
    this.timer = setInterval(() => this._take(width, height), EVERY_MS);
  }

  close() {
    clearInterval(this.timer);
    this._wanted = null;
    stop(this.stream);
    this.stream = this.view.srcObject = null;
  }

  /** Takes a picture, as large as is of use, in the form that it has. */
  _take(width, height) {
    const { videoWidth, videoHeight } = this.view;
    if (videoWidth === 0) {
      return;
    }
    const fit = Math.max(width / videoWidth, height / videoHeight);
    const part = Math.min(1, fit);
    this.canvas.width = Math.round(part * videoWidth);
    this.canvas.height = Math.round(part * videoHeight);
    const pen = this.canvas.getContext("2d", { alpha: false });
    pen.drawImage(this.view, 0, 0, this.canvas.width, this.canvas.height);
    this.onPicture(this.canvas.toDataURL("image/jpeg", QUALITY));
  }
}
