// The page: what people press, and what they are told.

import * as live from "./live.js";
import { Notice } from "./notice.js";
import { Screen } from "./screen.js";
import { SoundError } from "./sound.js";
import { Talk } from "./talk.js";
import * as tape from "./tape.js";
import { Timeline, face, inkOf, picture } from "./timeline.js";
import { sketch } from "./sketch.js";
import { Transcript } from "./transcript.js";

const LOOK_AGAIN_MS = 1500;

const $ = (id) => document.getElementById(id);

/** States in which there is a conversation. */
const TALKING = ["asking", "opening", "live", "lost"];

const STATES = {
  offline: "No server",
  loading: "The model is being loaded",
  locked: "A token is needed",
  ready: "Ready",
  asking: "Asking for the microphone",
  opening: "Connecting",
  live: "Live",
  lost: "Connection lost",
  over: "Ended",
};

class Page {
  constructor() {
    this.token = "";
    this.offer = null;
    this.talk = null;
    /** What the model is handing over, as far as it is written. */
    this.asked = "";
    this.muted = false;
    this.watching = false;
    this.names = { user: "You", model: "Model" };
    this.notice = new Notice($("notice"));
    this.timeline = new Timeline($("timeline"), this.names);
    this.timeline.history = sketch();
    const announce = (text) => this.announce(text);
    this.transcript = new Transcript({
      list: $("transcript"),
      names: this.names,
      announce,
    });
    this.screen = new Screen({ shown: $("shown"), jobs: $("jobs"), announce });
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.bind();
    this.become("offline");
    this.look();
    this.frame();
  }

  bind() {
    $("talk").onclick = () => this.toggle();
    $("mute").onclick = () => this.mute(!this.muted);
    $("camera").onclick = () => this.watch(!this.watching);
    $("type").onsubmit = (event) => {
      event.preventDefault();
      this.type();
    };
    $("login").onsubmit = (event) => {
      event.preventDefault();
      this.login($("token").value.trim());
    };
    $("device").onchange = () => this.listen();
    $("back").oninput = () => this.scroll();
    $("save-sound").onclick = () => this.save("wav");
    $("save-events").onclick = () => this.save("jsonl");
    $("save-picture").onclick = () => this.save("png");
    addEventListener("pagehide", () => this.talk?.end());
    addEventListener("resize", () => this.paint());
  }

  /** What is said to who does not see the page. */
  announce(text) {
    if (!$("aloud").checked) {
      return;
    }
    const line = document.createElement("p");
    line.textContent = text;
    $("announcer").append(line);
    while ($("announcer").children.length > 8) {
      $("announcer").firstElementChild.remove();
    }
  }

  become(state, text = STATES[state]) {
    this.state = document.body.dataset.state = state;
    $("status").textContent = text;
    const talking = TALKING.includes(state);
    const may = talking || state === "ready" || state === "over";
    $("talk").disabled = !may;
    $("talk").classList.toggle("on", talking);
    $("talk-label").textContent = talking ? "End" : "Talk";
    $("mute").disabled = state !== "live";
    $("camera").disabled = !may;
    $("words").disabled = $("send").disabled = state !== "live";
    $("intro").hidden = this.talk !== null;
    $("now").hidden = this.talk === null;
    $("login").hidden = state !== "locked";
    const stands = state === "over" || state === "lost";
    $("files").hidden = !(stands && this.talk?.history.turns.length > 0);
    $("instructions").disabled = talking;
  }

  /** Looks whether the server would let us in, until it does. */
  async look() {
    clearTimeout(this.again);
    const offer = await live.look(this.token);
    if (TALKING.includes(this.state)) {
      return;
    }
    if (offer.status === 200) {
      this.meet(offer);
      return;
    }
    this.offer = null;
    if (offer.status === 401) {
      this.become("locked");
      if (this.token) {
        $("token-error").textContent = "The server does not know this token.";
      }
      $("token").focus();
      return;
    }
    if (offer.status === 403) {
      this.become("offline", "Not allowed");
      this.notice.show("forbidden", {}, offer.why);
      return;
    }
    if (offer.status === 429) {
      this.become("offline", "Too many connections");
      this.notice.show("too_many", { retry: () => this.look() });
      return;
    }
    this.become(offer.status === 503 ? "loading" : "offline");
    if (offer.status === 0) {
      this.notice.show("unreachable");
    } else {
      this.notice.hide();
    }
    this.again = setTimeout(() => this.look(), LOOK_AGAIN_MS);
  }

  meet(offer) {
    this.offer = offer;
    this.names.model = offer.model;
    $("model").textContent = offer.model;
    if (this.notice.code === "unreachable") {
      this.notice.hide();
    }
    $("camera").hidden = offer.video === null;
    this.become(this.talk === null ? "ready" : "over");
    this.paint();
  }

  login(token) {
    $("token-error").textContent = "";
    if (!live.isSendable(token)) {
      $("token-error").textContent =
        "A browser cannot send this token: it may hold letters, digits and " +
        "! # $ % & ' * + - . ^ _ ` | ~ only.";
      $("token").focus();
      return;
    }
    this.token = token;
    this.look();
  }

  async toggle() {
    if (TALKING.includes(this.state)) {
      this.notice.hide();
      this.talk.end();
      return;
    }
    await this.start($("device").value);
  }

  /** @param {string | null} device of the microphone; null: none. */
  async start(device) {
    this.notice.hide();
    await this.talk?.stop();
    const talk = new Talk({
      token: this.token,
      offer: this.offer,
      instructions: $("instructions").value.trim(),
      video: $("seen"),
      on: {
        state: (state, told) => this.talk === talk && this.follow(state, told),
        started: (session) => ($("session").textContent = session.id),
        turn: (turn) => this.talk === talk && this.turn(turn),
        report: (report) =>
          this.screen.report(report, face(report.t_ms / 1000)),
        trouble: (code) => this.trouble(code),
        note: (text) => ($("note").textContent = text),
      },
    });
    this.talk = talk;
    this.asked = "";
    this.transcript.clear();
    this.screen.clear();
    this.timeline.history = talk.history;
    this.timeline.until = null;
    $("note").textContent = "";
    this.mute(false);
    this.become("asking");
    try {
      await talk.start({ device });
    } catch (error) {
      if (!(error instanceof SoundError)) {
        throw error;
      }
      this.talk = null;
      this.timeline.history = sketch();
      this.become("ready");
      this.trouble(error.code);
      return;
    }
    this.list();
    if (this.watching) {
      await this.watch(true);
    }
  }

  /** Goes with the state of the connection. */
  follow(state, told) {
    if (state === "over") {
      this.over(told);
      return;
    }
    this.become(state);
    if (state === "lost") {
      const detail = `Try ${told.attempt}.`;
      this.notice.show(
        "reconnecting",
        { redial: () => this.talk.live.retry(), end: () => this.talk.end() },
        detail,
      );
    } else if (state === "live") {
      if (this.notice.code === "reconnecting") {
        this.notice.hide();
      }
      this.announce("You can speak now.");
    }
  }

  over({ code, message }) {
    if (code === "closed") {
      this.notice.hide();
    } else {
      const retry = () => this.start($("device").value);
      this.notice.show(code, { retry }, message);
    }
    $("seen").hidden = true;
    const known = this.talk.history.turns.length > 0;
    if (!known) {
      this.talk = null;
      this.timeline.history = sketch();
    }
    this.become(known ? "over" : "ready");
    this.transcript.settle(Infinity);
    this.paint();
    // Whether another one can begin.
    this.look();
  }

  turn(turn) {
    const at = face(turn.t);
    for (const { side, text } of turn.texts) {
      this.transcript.say(side, turn.t, text, at);
    }
    this.transcript.settle(turn.t);
    let asks = false;
    for (const { channel, delta } of turn.written) {
      if (channel === "show") {
        this.screen.write(delta, at);
      } else if (channel !== "say") {
        asks = true;
        this.asked += delta;
      }
    }
    if (!asks && this.asked.trim() && !this.offer.background) {
      this.screen.ask(this.asked.trim(), at);
    }
    this.asked = asks ? this.asked : "";
    this.tell(turn);
    if (this.still.matches) {
      this.paint();
    }
  }

  /** The numbers of the last turn. */
  tell(turn) {
    const { report, late } = this.talk;
    $("elapsed").textContent = face(turn.t);
    $("is").textContent = turn.speaks ? "speaks" : "listens";
    const gate = 1 / (1 + Math.exp(-turn.gate));
    $("gate").textContent = `${Math.round(100 * gate)} %`;
    $("compute").textContent = `${Math.round(turn.compute_ms)} ms`;
    if (this.talk.live.unsent > 0) {
      $("note").textContent =
        "Your connection is slow: not all that you say is heard.";
    }
    $("latency").textContent = `${Math.round(turn.latency_ms)} ms`;
    $("buffer").textContent = `${Math.round(report.waiting_ms)} ms`;
    $("late").textContent = `${late}`;
    $("gaps").textContent = `${report.gaps}`;
  }

  trouble(code) {
    this.notice.show(code, {
      retry: () => this.start($("device").value),
      type: () => this.start(null),
      listen: () => this.listen(),
      dismiss: () => {},
    });
    if (code.endsWith("_camera")) {
      this.show(false);
    }
  }

  mute(muted) {
    this.muted = muted;
    this.talk?.sound?.mute(muted);
    $("mute").setAttribute("aria-pressed", `${muted}`);
  }

  async watch(watching) {
    this.show(watching);
    const talk = this.talk;
    if (talk === null || talk.sound === null) {
      return;
    }
    if (!watching) {
      talk.camera.close();
      return;
    }
    try {
      await talk.look();
    } catch (error) {
      if (!(error instanceof SoundError)) {
        throw error;
      }
      this.trouble(error.code);
    }
  }

  show(watching) {
    this.watching = watching;
    $("camera").setAttribute("aria-pressed", `${watching}`);
    $("seen").hidden = !watching || !this.talk?.sound;
  }

  async listen() {
    if (this.talk?.sound) {
      try {
        await this.talk.listen($("device").value);
      } catch (error) {
        this.trouble(error.code);
      }
    }
  }

  /** The microphones there are; names are told once one may be used. */
  async list() {
    const found = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
    const usual = new Option("The usual one", "");
    const options = found
      .filter((one) => one.kind === "audioinput" && one.deviceId)
      .filter((one) => one.deviceId !== "default")
      .map((one) => new Option(one.label || "A microphone", one.deviceId));
    const chosen = $("device").value;
    $("device").replaceChildren(usual, ...options);
    $("device").value = options.some((one) => one.value === chosen)
      ? chosen
      : "";
  }

  type() {
    const text = $("words").value.trim();
    if (text && this.talk?.live.read(text)) {
      this.transcript.type(text, face(this.talk.now()));
      $("words").value = "";
    }
  }

  scroll() {
    const back = $("back");
    const away = Number(back.max) - Number(back.value);
    this.timeline.until = away < 1 ? null : Number(back.value);
    this.paint();
  }

  async save(kind) {
    const { history, tape: kept } = this.talk;
    const when = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    const name = `${this.names.model}-${when}.${kind}`;
    const title = `${this.names.model}   ${face(history.end)}`;
    const make = {
      wav: () => kept.sound(),
      jsonl: () => kept.events(),
      png: () =>
        picture(history, {
          names: this.names,
          title,
          ink: inkOf($("timeline")),
        }),
    };
    tape.save(await make[kind](), name);
  }

  /** Draws, as often as the screen is. */
  frame() {
    const live = this.state === "live";
    if (live && !this.still.matches && !document.hidden) {
      this.paint();
    }
    requestAnimationFrame(() => this.frame());
  }

  paint() {
    const now = this.state === "live" ? this.talk.now() : null;
    this.timeline.draw(now);
    const back = $("back");
    const { end } = this.timeline.history;
    const long = this.talk !== null && end > this.timeline.span + 1;
    back.hidden = !long;
    if (long) {
      back.min = `${Math.ceil(this.timeline.span)}`;
      back.max = `${Math.ceil(end)}`;
      if (this.timeline.until === null) {
        back.value = back.max;
      }
      back.setAttribute("aria-valuetext", face(Number(back.value)));
    }
  }
}

const page = new Page();
page.paint();
