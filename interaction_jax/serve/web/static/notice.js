// What went wrong, in words for people, and what can be done about it.

const SITE = "in the browser's settings of this page, beside its address";

/** By code: a title, a text, and the names of what may be done. */
const NOTICES = {
  insecure: [
    "This address is not secure",
    "Browsers lend a microphone only to pages that come over HTTPS, or from " +
      "this machine (localhost).",
    [],
  ],
  no_sound: [
    "This browser cannot play sound this way",
    "A newer one can: AudioWorklet is what it needs.",
    [],
  ],
  no_speaker: [
    "The loudspeaker does not answer",
    "The browser could not begin to play. Is one connected, and not taken by " +
      "another program?",
    ["retry"],
  ],
  no_microphone: [
    "No microphone was found",
    "Plug one in and try again, or go on by typing; you will hear answers " +
      "all the same.",
    ["retry", "type"],
  ],
  refused_microphone: [
    "The microphone is not allowed",
    `Allow it ${SITE}, and try again; or go on by typing.`,
    ["retry", "type"],
  ],
  busy_microphone: [
    "The microphone does not answer",
    "Another program may be using it. Close that one and try again, or go on " +
      "by typing.",
    ["retry", "type"],
  ],
  gone_microphone: [
    "The microphone is gone",
    "It was unplugged or taken away. What you type is still read.",
    ["listen"],
  ],
  no_camera: [
    "No camera was found",
    "The conversation goes on without one.",
    ["dismiss"],
  ],
  refused_camera: [
    "The camera is not allowed",
    `Allow it ${SITE}. The conversation goes on without it.`,
    ["dismiss"],
  ],
  busy_camera: [
    "The camera does not answer",
    "Another program may be using it. The conversation goes on without it.",
    ["dismiss"],
  ],
  gone_camera: [
    "The camera is gone",
    "The conversation goes on without it.",
    ["dismiss"],
  ],
  server_full: [
    "All places are taken",
    "Everybody who leaves makes room for somebody. Try again in a moment.",
    ["retry"],
  ],
  too_many: [
    "Too many connections",
    "This token has as many as it may have. Close another page, then try " +
      "again.",
    ["retry"],
  ],
  server_not_ready: [
    "The server is not ready",
    "It is starting or ending. Try again in a moment.",
    ["retry"],
  ],
  unreachable: [
    "The server does not answer",
    "It may be starting, or out of reach. This page keeps trying.",
    [],
  ],
  forbidden: [
    "This address may not be used",
    "The server answers only under the name that it was given.",
    [],
  ],
  reconnecting: [
    "The connection is lost",
    "The conversation waits where it was, and goes on as soon as the server " +
      "is there again.",
    ["redial", "end"],
  ],
  lost: [
    "The connection is lost",
    "The server was not found again. A new conversation can begin any time.",
    ["retry"],
  ],
  forgotten: [
    "The server has forgotten the conversation",
    "It was away for too long. What you have of it stays on this page until " +
      "a new one begins.",
    ["retry"],
  ],
  expired: [
    "The conversation is over",
    "It lasted as long as it may, or nothing was heard for minutes.",
    ["retry"],
  ],
  refused: ["The server refuses", "", ["retry"]],
};

const ACTIONS = {
  retry: "Try again",
  type: "Go on by typing",
  listen: "Use another one",
  redial: "Try now",
  end: "End it",
  dismiss: "Go on",
};

export class Notice {
  /** @param {HTMLElement} place an element with the role of an alert. */
  constructor(place) {
    this._place = place;
    this.hide();
  }

  /**
   * Tells something.
   *
   * @param {string} code of it.
   * @param actions what is done, by the names above.
   * @param {string} detail to be told besides, as text.
   */
  show(code, actions = {}, detail = "") {
    const [title, text, names] = NOTICES[code] ?? NOTICES.refused;
    const heading = document.createElement("b");
    heading.textContent = title;
    const words = document.createElement("p");
    words.textContent = [text, detail].filter(Boolean).join(" ");
    const buttons = document.createElement("div");
    for (const name of names.filter((name) => name in actions)) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = ACTIONS[name];
      button.dataset.action = name;
      button.onclick = () => {
        this.hide();
        actions[name]();
      };
      buttons.append(button);
    }
    this._place.replaceChildren(heading, words, buttons);
    this._place.hidden = false;
    this.code = this._place.dataset.code = code;
  }

  hide() {
    this.code = null;
    this._place.hidden = true;
    this._place.replaceChildren();
    delete this._place.dataset.code;
  }
}
