// What is shown beside the talk: the `show` channel and background jobs.
//
// Charts are drawn, everything else is text. Nothing here is ever markup.

import * as chart from "./chart.js";

/** Letters of an object that is not complete; then it is text after all. */
const LONGEST = 100_000;

/** Things that stay on the screen. */
const MOST = 60;

const STATES = {
  started: "at work",
  partial: "at work",
  done: "done",
  failed: "failed",
  timed_out: "took too long",
  late: "done, but late",
  cancelled: "cancelled",
  superseded: "replaced",
  nobody: "nobody does it here",
};

/** Finds objects of JSON in a text that comes piece by piece. */
export class Objects {
  constructor() {
    this._text = "";
    this._depth = 0;
    this._quoted = this._escaped = false;
  }

  /** Takes a piece; returns the texts of the objects that it completes. */
  take(text) {
    const found = [];
    for (const sign of text) {
      if (this._depth > 0 || sign === "{") {
        this._text += sign;
        this._step(sign);
        if (this._depth === 0 || this._text.length > LONGEST) {
          found.push(this._text);
          this._text = "";
          this._depth = 0;
          this._quoted = this._escaped = false;
        }
      }
    }
    return found;
  }

  _step(sign) {
    if (this._quoted) {
      this._quoted = this._escaped || sign !== '"';
      this._escaped = !this._escaped && sign === "\\";
    } else if (sign === '"') {
      this._quoted = true;
    } else if (sign === "{") {
      this._depth += 1;
    } else if (sign === "}") {
      this._depth -= 1;
    }
  }
}

export class Screen {
  /**
   * @param {HTMLElement} shown where charts and texts go.
   * @param {HTMLElement} jobs a list.
   * @param {(text: string) => void} announce to who does not see it.
   */
  constructor({ shown, jobs, announce }) {
    this._shown = shown;
    this._jobs = jobs;
    this._announce = announce;
    this.clear();
  }

  clear() {
    this._shown.replaceChildren();
    this._jobs.replaceChildren();
    this._objects = new Objects();
    this._known = new Map();
  }

  /** A piece of what the model shows; `at` is its time, to be read. */
  write(text, at) {
    for (const found of this._objects.take(text)) {
      this.show(parse(found), at);
    }
  }

  /** Shows a value of JSON, or a text. */
  show(value, at) {
    const found = chart.read(value);
    const card = document.createElement("article");
    card.className = "card";
    if (found === null) {
      const text = document.createElement("pre");
      text.textContent =
        typeof value === "string" ? value : JSON.stringify(value, null, 2);
      card.append(text);
      this._announce("A text is on the screen.");
    } else {
      card.append(chart.draw(found));
      this._announce(`A chart is on the screen: ${found.title || found.kind}.`);
    }
    const time = document.createElement("time");
    time.textContent = at;
    card.append(time);
    this._shown.prepend(card);
    while (this._shown.children.length > MOST) {
      this._shown.lastElementChild.remove();
    }
  }

  /** @param report as session.background.report has it. */
  report({ job, state, task, text, shown }, at) {
    const parts = this._known.get(job) ?? this._add(job, task);
    parts.item.dataset.state = state;
    parts.state.textContent = STATES[state] ?? state;
    parts.text.textContent = text;
    if (state !== "started" && state !== "partial") {
      this._announce(`Background job ${task}: ${STATES[state]}. ${text}`);
    }
    if (shown !== null && shown !== undefined) {
      this.show(shown, at);
    }
  }

  /** What was handed over on a server that has nobody to do it. */
  ask(task, at) {
    const { item, state, text } = this._add(`asked at ${at}`, task);
    item.dataset.state = "nobody";
    state.textContent = STATES.nobody;
    text.textContent = `Asked at ${at}.`;
  }

  _add(job, task) {
    const item = document.createElement("li");
    const [name, state, text] = ["b", "i", "p"].map((tag) =>
      document.createElement(tag),
    );
    name.textContent = task;
    item.append(name, state, text);
    this._jobs.prepend(item);
    while (this._jobs.children.length > MOST) {
      this._jobs.lastElementChild.remove();
    }
    const parts = { item, state, text };
    this._known.set(job, parts);
    return parts;
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
