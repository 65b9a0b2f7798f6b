// Who said what: utterances that grow word by word.
//
// A screen reader is told an utterance once it is over, not every word of it.

/** Seconds without a word that end an utterance. */
const PAUSE_S = 1.2;

/** Utterances that stay on the page. */
const MOST = 400;

export class Transcript {
  /**
   * @param {HTMLElement} list of utterances.
   * @param names of both sides: {user, model}.
   * @param {(text: string) => void} announce to who does not see it.
   */
  constructor({ list, names, announce }) {
    this.names = names;
    this._list = list;
    this._announce = announce;
    this.clear();
  }

  clear() {
    this._list.replaceChildren();
    this._open = { user: null, model: null };
  }

  /** A piece of text of one side, at `t` seconds. */
  say(side, t, text, at) {
    let open = this._open[side];
    if (open === null || t - open.t > PAUSE_S) {
      this._close(side);
      if (text.trim() === "") {
        return;
      }
      open = this._open[side] = this._add(side, at);
      text = text.trimStart();
    }
    open.t = t;
    open.text += text;
    open.words.textContent = open.text;
    this._follow(open.item);
  }

  /** What was typed, at once and whole. */
  type(text, at) {
    const { item, words } = this._add("user", at);
    item.classList.add("typed");
    words.textContent = text;
    this._follow(item, true);
  }

  /** It is `t` now: what is over is told. */
  settle(t) {
    for (const side of ["user", "model"]) {
      const open = this._open[side];
      if (open !== null && t - open.t > PAUSE_S) {
        this._close(side);
      }
    }
  }

  _close(side) {
    const open = this._open[side];
    if (open !== null) {
      this._announce(`${this.names[side]}: ${open.text}`);
      this._open[side] = null;
    }
  }

  _add(side, at) {
    const item = document.createElement("li");
    item.className = side;
    const [time, who, words] = ["time", "b", "p"].map((tag) =>
      document.createElement(tag),
    );
    time.textContent = at;
    who.textContent = this.names[side];
    item.append(time, who, words);
    this._list.append(item);
    while (this._list.children.length > MOST) {
      this._list.firstElementChild.remove();
    }
    return { item, words, text: "", t: 0 };
  }

  /** Scrolls along, unless somebody reads further up. */
  _follow(item, always = false) {
    const { scrollTop, scrollHeight, clientHeight } = this._list;
    const away = scrollHeight - scrollTop - clientHeight;
    if (always || away < item.offsetHeight + 48) {
      this._list.scrollTop = scrollHeight;
    }
  }
}
