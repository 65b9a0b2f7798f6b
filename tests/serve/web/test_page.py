"""The page in a real browser, in front of a real server."""

import base64
import contextlib
import json
import re
import threading
import time
import urllib.request

import numpy as np
import pytest
import soundfile
from PIL import Image
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect

from interaction_jax.data import resample
from interaction_jax.serve.access import Access
from interaction_jax.serve.protocol import live
from interaction_jax.serve.protocol import sound as wire_sound
from interaction_jax.serve.protocol.lobby import Lobby
from interaction_jax.serve.web import page

PATH = "/v1/live/sessions"
TOKEN = "a-secret-of-some-length"
FILES = sorted(path.name for path in page.FOLDER.iterdir())
MODULES = [name for name in FILES if name.endswith(".js")]

STATE = "document.body.dataset.state"
LIVE = f"{STATE} === 'live'"

# Whatever is led to the loudspeaker is led to an analyser too.
TAP = """
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...more) {
  if (to === this.context.destination) {
    if (window.tap?.context !== this.context) {
      window.tap = new AnalyserNode(this.context, {fftSize: 32768});
    }
    connect.call(this, window.tap);
  }
  return connect.call(this, to, ...more);
};
window.heard = () => {
  const samples = new Float32Array(32768);
  window.tap.getFloatTimeDomainData(samples);
  let text = "";
  for (const byte of new Uint8Array(samples.buffer)) {
    text += String.fromCharCode(byte);
  }
  return btoa(text);
};
"""


def get(at, path, **headers):
  request = urllib.request.Request(f"http://{at}{path}", headers=headers)
  return urllib.request.urlopen(request, timeout=300)


def floats(text):
  return np.frombuffer(base64.b64decode(text), np.float32)


def sound(text):
  return np.frombuffer(base64.b64decode(text), "<i2") / 2**15


def match(part, whole):
  """How much a part is like the most similar stretch of a whole, and where.

  Returns:
    The correlation, from 0 to 1, the ratio of loudness, and the place.
  """
  size = len(part) + len(whole)
  spectra = np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size))
  products = np.fft.irfft(spectra, size)[: len(whole) - len(part) + 1]
  sums = np.cumsum(np.concatenate([[0.0], np.square(whole)]))
  power = np.maximum(sums[len(part) :] - sums[: -len(part)], 1e-9)
  likeness = products / np.sqrt(power * np.square(part).sum() + 1e-12)
  place = int(likeness.argmax())
  loudness = np.sqrt(np.square(part).sum() / power[place])
  return likeness[place], loudness, place


@pytest.mark.parametrize("name", FILES)
def test_files_are_plain(name):
  text = (page.FOLDER / name).read_text()
  # Nothing makes markup or code out of text, and nothing comes from elsewhere.
  assert not re.search(
    r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\("
    r"|setTimeout\([\"']|javascript:",
    text,
  )
  assert set(re.findall(r"https?://[^\s\"']+", text)) <= {
    "http://www.w3.org/2000/svg"
  }
  assert not re.search(r"\son\w+=|<script>|style=", text)
  if name.endswith((".js", ".css")):
    assert max(map(len, text.splitlines())) <= 80
  for module in re.findall(r'from "\./(.*?)"', text):
    assert module in MODULES


def test_every_file_is_guarded(running):
  def make():
    raise MemoryError("there is no model")

  kinds = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
  with running(make) as server:
    for name in ["", *FILES]:
      with get(server.at, f"/{name}") as found:
        headers = {key.lower(): value for key, value in found.headers.items()}
        assert found.read()
      for key, value in page.HEADERS.items():
        assert headers[key.lower()] == value
      kind = kinds.get(name.rpartition(".")[2], "text/html")
      assert headers["content-type"].split(";")[0] == kind
  rules = dict(rule.split(" ", 1) for rule in page.POLICY.split("; "))
  assert rules.pop("default-src") == "'none'"
  assert not re.search("unsafe|https?:|[*]|blob:|data:", page.POLICY)
  assert rules["require-trusted-types-for"] == "'script'"


@pytest.fixture(scope="module")
def talked(browser, site, tmp_path_factory):
  """A whole conversation with microphone and camera, and all that is left."""
  folder = tmp_path_factory.mktemp("talked")
  tab = browser.open(f"http://{site.at}/", before=TAP, downloads=folder)
  told = {"tab": tab, "windows": [], "events": [], "folder": folder}
  tab.wait(f"{STATE} === 'ready'")
  tab.click("#camera")
  tab.click("#talk")
  tab.wait(LIVE)
  name = tab.wait("document.getElementById('session').textContent")
  told["rate"] = tab.run("window.tap.context.sampleRate")
  url = f"ws://{site.at}{PATH}/{name}/attach"
  patient = {"open_timeout": 300, "ping_interval": None}
  with connect(url, max_size=None, **patient) as side:

    def listen(until):
      while time.monotonic() < until:
        try:
          told["events"].append(json.loads(side.recv(timeout=0.05)))
        except TimeoutError:
          continue
        except ConnectionClosedOK:
          return

    tab.click("#words")
    tab.type("hello")
    tab.click("#send")
    began = time.monotonic()
    # Until some of what was heard was certainly heard whole.
    while time.monotonic() < began + 400:
      listen(time.monotonic() + 1.5)
      told["windows"].append(floats(tab.run("window.heard()")))
      if time.monotonic() > began + 6 and len(alike(told, 4)) > 1:
        break
    tab.click("#talk")
    tab.wait(f"{STATE} === 'over'")
    listen(time.monotonic() + 0.5)
  for kind in ("sound", "events", "picture"):
    tab.click(f"#save-{kind}")
  until = time.monotonic() + 300
  while len(list(folder.glob("*.*"))) < 3 or list(folder.glob("*.crdownload")):
    assert time.monotonic() < until, "the files did not come"
    time.sleep(0.05)
  yield told
  tab.close()


def said(told, kind, field):
  """All sound of a side, as the server told it to who listened in."""
  return np.concatenate(
    [
      sound(event[field])
      for event in told["events"]
      if event["type"] == f"session.{kind}"
    ]
  )


def alike(told, last=0):
  """Where what was heard is what was sent, and by how much it is louder.

  The voice of a model that was drawn at random is loud. What the server cuts
  off there at 24 kHz is not what it cuts off at 16 kHz.

  Args:
    last: how many of the latest windows are looked at; 0: all.
  """
  voice = said(told, "output_audio.delta", "delta")
  found = []
  for window in told["windows"][-last:]:
    part = resample.convert(window, round(told["rate"]), 24_000)[500:-500]
    if len(voice) > len(part) and np.square(part).mean() > 1e-6:
      likeness, loudness, place = match(part, voice)
      if likeness > 0.95:
        found.append((loudness, place))
  return found


def test_the_answer_is_heard(talked):
  found = alike(talked)
  # What the server sent leads to the loudspeaker: the same samples, as loud as
  # they were, one after the other, and later what came later.
  assert len(found) > 1, "nothing that was heard is what was sent"
  places = [place for _, place in found]
  assert places == sorted(set(places))
  # A moment that is missing in one of them, on a busy machine, takes as much of
  # its loudness.
  assert 0.9 < np.median([loudness for loudness, _ in found]) < 1.1


def test_nothing_goes_wrong_on_the_way(talked, site):
  tab = talked["tab"]
  tab.check()
  assert {url.split("/")[2] for url in tab.requests} == {site.at}
  assert tab.text("#status") == "Ended"
  assert tab.run("document.getElementById('notice').hidden")


def test_text_of_both_sides_appears(talked):
  tab = talked["tab"]
  sides = tab.run(
    "[...document.querySelectorAll('#transcript li')].map("
    "(item) => [item.className, item.lastChild.textContent])"
  )
  told = "".join(
    event["delta"]
    for event in talked["events"]
    if event["type"] == "session.output_transcript.delta"
  )
  shown = "".join(text for side, text in sides if side == "model")
  # The page heard the beginning too, which who listened in did not.
  assert told.strip()
  assert re.sub(r"\s", "", told) in re.sub(r"\s", "", shown)
  assert ["user typed", "hello"] in sides
  # A screen reader is told each once it is over.
  aloud = tab.run("document.getElementById('announcer').textContent")
  assert shown.strip()[-8:] in aloud


def test_the_sound_is_kept(talked):
  (path,) = talked["folder"].glob("*.wav")
  kept, rate = soundfile.read(path)
  assert rate == 16_000 and kept.shape[1] == 2
  for side, kind, field in (
    (0, "input_audio.append", "audio"),
    (1, "output_audio.delta", "delta"),
  ):
    sent = said(talked, kind, field)[24_000:72_000]
    mine = resample.convert(np.float32(kept[:, side]), rate, 24_000)
    likeness, loudness, _ = match(sent, mine)
    # Resamplers take what is near the half of 16 kHz.
    assert likeness > 0.98 and 0.93 < loudness < 1.07
  # The model's first turn is audible from the second one on.
  assert not kept[:3200, 1].any()


def test_the_events_are_kept(talked):
  (path,) = talked["folder"].glob("*.jsonl")
  events = [json.loads(line) for line in path.read_text().splitlines()]
  kinds = {event["kind"] for event in events}
  assert {"say", "user_text", "speak_start", "speak_stop"} <= kinds
  for event in events:
    assert set(event) == {"t", "turn", "kind", "payload"}
    late = 0.2 * (event["turn"] + 1) - event["t"]
    # What is read came in its turn, what is made is audible behind it.
    is_read = event["kind"] in ("user_text", "background", "call_result")
    assert abs(late) < 1e-9 or (is_read and 0 < late < 0.41)
  turns = [event["turn"] for event in events]
  assert turns == sorted(turns)
  text = "".join(
    event["payload"]["text"] for event in events if event["kind"] == "say"
  )
  told = "".join(
    event["delta"]
    for event in talked["events"]
    if event["type"] == "session.output_transcript.delta"
  )
  assert told and told in text


def test_the_timeline_is_kept(talked):
  (path,) = talked["folder"].glob("*.png")
  with Image.open(path) as image:
    pixels = np.asarray(image.convert("RGB")).astype(int)
  assert pixels.shape[1] == 1600
  # Both voices are there, in their colours, one above the other.
  rows = [
    np.flatnonzero((np.abs(pixels - colour).sum(-1) < 12).any(axis=1))
    for colour in ((43, 143, 208), (232, 112, 42))
  ]
  assert all(map(len, rows)) and rows[0].mean() < rows[1].mean()


def test_pictures_are_seen(talked):
  turns = [
    event for event in talked["events"] if event["type"] == "session.microturn"
  ]
  assert any(turn["saw"] for turn in turns)


@pytest.fixture
def tell(site, made):
  """Has the model of a page do what it would do by chance, and late."""

  def tell(tab, **texts):
    name = tab.run("document.getElementById('session').textContent")
    talk, guest = live.find(site.lobby, name, "")
    site.do(talk.tell(guest, made(20, **texts)))

  return tell


def start(tab):
  tab.wait(f"{STATE} === 'ready'")
  tab.click("#talk")
  tab.wait(LIVE)
  tab.wait("document.getElementById('is').textContent !== '–'")


EVIL = "<img src=x onerror=window.hit=1><script>window.hit=1</script>"


def test_what_is_shown_is_never_markup(visit, tell):
  tab = visit()
  start(tab)
  data = {EVIL: 1, "b": 2.5}
  for value in (
    {"chart": "bar", "title": EVIL, "data": data},
    {"chart": "pie", "unit": EVIL, "data": data},
    {"chart": "line", "x": EVIL, "data": {EVIL: data, "c": data}},
    {"chart": "scatter", "y": EVIL, "data": [[0, 1], [1, 2]]},
    {"chart": EVIL, "data": data},
    {"html": EVIL},
  ):
    tell(tab, show=" " + json.dumps(value))
  tell(tab, show="two three", say=EVIL)
  tab.wait("document.querySelectorAll('#shown .card').length === 6")
  found = tab.run(
    """(() => {
      const all = [...document.querySelectorAll("#shown *, #transcript *")];
      return {
        tags: [...new Set(all.map((one) => one.localName))],
        names: [...new Set(all.flatMap((one) => one.getAttributeNames()))],
        texts: [...document.querySelectorAll("#shown pre")].map(
          (one) => one.textContent),
        charts: document.querySelectorAll("#shown svg").length,
        title: document.querySelector("#shown figcaption").textContent,
        hit: window.hit ?? null,
      };
    })()"""
  )
  assert found["hit"] is None and found["charts"] == 4
  assert found["title"].startswith("<img src=x")
  assert json.loads(found["texts"][0]) == {"html": EVIL}
  assert not {"img", "script", "a", "style", "iframe"} & set(found["tags"])
  assert not [name for name in found["names"] if re.match("on|href|src", name)]
  # What is no object was heard: it is the user's.
  assert "two three" in tab.text("#transcript .user")
  # Not even a mistake of the page could make markup of it.
  refused = tab.run(
    "try { document.body.innerHTML = '<p>'; } catch (error) { `${error}`; }"
  )
  assert "TrustedHTML" in refused
  tab.forget()


def test_background_jobs_are_told(visit, site, made):
  tab = visit()
  start(tab)
  name = tab.run("document.getElementById('session').textContent")
  _, guest = live.find(site.lobby, name, "")

  async def delegate():
    clerk = guest.live.clerk
    clerk.see(9_000, made(9_000, delegate="draw it").events, speaks=False)
    clerk.see(9_001, (), speaks=False)

  site.do(delegate())
  tab.wait("document.querySelector('#jobs [data-state=done]') !== null")
  assert tab.text("#jobs").split("\n") == ["draw it", "done", "", "here it is"]
  assert tab.text("#shown figcaption") == "draw it"
  assert tab.run(
    "document.querySelector('#shown svg').getAttribute('aria-label')"
  ) == ("bar chart, draw it: red 2, blue 5")


def focused(tab):
  """What has the focus, and whether one sees that it has."""
  return tab.run(
    """(() => {
      const style = getComputedStyle(document.activeElement);
      const seen = style.outlineStyle !== "none" &&
        parseFloat(style.outlineWidth) >= 2;
      return [document.activeElement.id, seen];
    })()"""
  )


def test_the_keyboard_is_enough(visit):
  tab = visit()
  tab.wait(f"{STATE} === 'ready'")
  order = []
  while "talk" not in order:
    assert len(order) < 12
    tab.press("Tab")
    name, seen = focused(tab)
    order.append(name)
    assert seen, name
  tab.press("Enter")
  tab.wait(LIVE)
  for name in ("mute", "camera", "words"):
    tab.press("Tab")
    assert focused(tab) == [name, True]
    if name != "words":
      tab.press(" ")
      pressed = f"document.getElementById('{name}').ariaPressed"
      assert tab.run(pressed) == "true"
  tab.type("hello there")
  tab.press("Enter")
  assert tab.wait("document.querySelector('#transcript .typed')?.innerText")
  for name in ("camera", "mute", "talk"):
    tab.press("Tab", shift=True)
    assert focused(tab) == [name, True]
  tab.wait("document.getElementById('is').textContent !== '–'")
  tab.press(" ")
  tab.wait(f"{STATE} === 'over'")
  # What is not there is not passed; what has come since is.
  assert tab.run("!document.getElementById('files').hidden")


def test_everything_has_a_name(visit):
  tab = visit()
  start(tab)
  tab.call("Accessibility.enable")
  nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
  wanted = {"button", "textbox", "checkbox", "combobox", "image", "slider",
            "DisclosureTriangle"}  # fmt: skip
  named = {"button": 0}
  for node in nodes:
    role = node.get("role", {}).get("value")
    if role in wanted and not node["ignored"]:
      assert node["name"]["value"], node
      named[role] = named.get(role, 0) + 1
  assert named["button"] >= 4 and named["textbox"] >= 1 and named["image"] >= 1
  roles = tab.run(
    "['status', 'notice', 'announcer'].map((id) => {"
    "const one = document.getElementById(id);"
    "return one.getAttribute('role') ?? one.getAttribute('aria-live');})"
  )
  assert roles == ["status", "alert", "polite"]


def test_a_phone(visit, tell):
  tab = visit(size=(360, 740))
  start(tab)
  tab.resize(360, 740, mobile=True, scale=2)
  tell(tab, say="w" * 90, show=json.dumps({"chart": "bar", "data": {"a": 1}}))
  tell(tab, show=json.dumps({"text": "v" * 90}))
  tab.wait("document.querySelectorAll('#shown .card').length === 2")
  found = tab.run(
    """(() => {
      const parts = [...document.querySelectorAll("button, input, canvas")];
      return {
        width: document.documentElement.scrollWidth,
        boxes: parts
          .map((one) => one.getBoundingClientRect())
          .filter((box) => box.width > 0)
          .map((box) => [box.left, box.right]),
        low: [...document.querySelectorAll("button")]
          .map((one) => one.offsetHeight)
          .filter((height) => height > 0 && height < 44),
      };
    })()"""
  )
  assert found["width"] == 360 and found["low"] == []
  assert all(left >= 0 and right <= 360 for left, right in found["boxes"])


def contrast(one, other):
  """How much two colours differ, as WCAG 2.2 has it."""

  def light(colour):
    parts = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    low = parts / 12.92
    high = ((parts + 0.055) / 1.055) ** 2.4
    return np.where(parts <= 0.04045, low, high) @ (0.2126, 0.7152, 0.0722)

  dark, bright = sorted((light(one), light(other)))
  return (bright + 0.05) / (dark + 0.05)


def test_both_themes_can_be_read(visit):
  tab = visit()
  for theme in ("light", "dark"):
    tab.media(prefers_color_scheme=theme)

    def colour(name):
      found = tab.run(
        f"getComputedStyle(document.body).getPropertyValue('--{name}').trim()"
      )
      assert re.fullmatch("#[0-9a-f]{6}", found), (name, found)
      return found

    for ground in ("card", "paper"):
      for name in ("ink", "soft", "user-text", "model-text", "alarm"):
        assert contrast(colour(name), colour(ground)) >= 4.5, (name, theme)
      assert contrast(colour("edge"), colour(ground)) >= 3, theme
    assert contrast(colour("strong"), colour("on-strong")) >= 4.5
  grounds = tab.run("getComputedStyle(document.body).backgroundColor")
  assert grounds == "rgb(15, 17, 19)"


def test_nothing_moves_that_need_not(visit):
  tab = visit(media={"prefers_reduced_motion": "reduce"})
  start(tab)
  names = tab.run(
    "[...document.querySelectorAll('*')].map((one) => "
    "getComputedStyle(one, '::before').animationName)"
  )
  assert set(names) == {"none"}


def refusing(name):
  """A script that has the browser find no microphone."""
  return (
    "navigator.mediaDevices.getUserMedia = () => "
    f"Promise.reject(new DOMException('', '{name}'));"
  )


@pytest.mark.parametrize(
  ("code", "options"),
  [
    ("no_microphone", {"before": refusing("NotFoundError")}),
    ("busy_microphone", {"before": refusing("NotReadableError")}),
    ("refused_microphone", {"allowed": (), "denied": ("microphone",)}),
  ],
  ids=["none", "busy", "refused"],
)
def test_without_a_microphone_one_types(visit, code, options):
  tab = visit(**options)
  tab.wait(f"{STATE} === 'ready'")
  tab.click("#talk")
  tab.wait(f"document.getElementById('notice').dataset.code === '{code}'")
  assert "icrophone" in tab.text("#notice b")
  tab.click("[data-action=type]")
  tab.wait(LIVE)
  tab.click("#words")
  tab.type("hello")
  tab.press("Enter")
  tab.wait("document.getElementById('is').textContent !== '–'")
  assert tab.text("#transcript .typed p") == "hello"


def test_without_a_loudspeaker_one_is_told(visit):
  stuck = "AudioContext.prototype.resume = () => new Promise(() => {});"
  tab = visit(before=stuck, patient=False)
  tab.wait(f"{STATE} === 'ready'")
  tab.click("#talk")
  told = "document.getElementById('notice').dataset.code"
  tab.wait(f"{told} === 'no_speaker'")
  assert tab.run(f"{STATE} === 'ready'")


def test_a_camera_is_no_condition(visit):
  tab = visit(allowed=("microphone",), denied=("camera",))
  tab.wait(f"{STATE} === 'ready'")
  tab.click("#camera")
  tab.click("#talk")
  tab.wait("document.getElementById('notice').dataset.code"
           " === 'refused_camera'")  # fmt: skip
  tab.wait(LIVE)


def test_a_full_server_says_so(visit, site):
  tab = visit()
  tab.wait(f"{STATE} === 'ready'")
  with contextlib.ExitStack() as stack:
    for _ in range(site.lobby.engine.num):
      other = stack.enter_context(
        connect(f"ws://{site.at}{PATH}", open_timeout=300, ping_interval=None)
      )
      other.send('{"type": "session.start", "session": {}}')
      assert "session.started" in other.recv(timeout=300)
    tab.click("#talk")
    tab.wait("document.getElementById('notice').dataset.code"
             " === 'server_full'")  # fmt: skip
  site.settle()
  tab.click("[data-action=retry]")
  tab.wait(LIVE)


def test_a_lost_connection_goes_on(visit, site):
  tab = visit()
  start(tab)
  tab.wait("document.getElementById('elapsed').textContent >= '0:01'")
  name = tab.run("document.getElementById('session').textContent")
  talk, _ = live.find(site.lobby, name, "")
  site.do(talk.line.close(1011, "failed"))
  tab.wait(f"document.getElementById('session').textContent !== '{name}'")
  tab.wait(LIVE)
  again = tab.run("document.getElementById('session').textContent")
  _, guest = live.find(site.lobby, again, "")
  # It has the past of the one before.
  assert guest.heard_s > 1.0
  tab.wait("document.getElementById('elapsed').textContent >= '0:02'")
  assert tab.run("document.getElementById('notice').hidden")
  tab.click("#talk")
  tab.wait(f"{STATE} === 'over'")
  site.settle()
  # Nothing is kept once it is over.
  assert again not in site.lobby._shelf._held


def test_tokens_and_a_server_that_comes_and_goes(browser, running, engines):
  may_come = threading.Event()

  def make():
    may_come.wait(600)
    return engines()

  rules = Access("127.0.0.1", tokens=[TOKEN])
  with running(make, lobby=Lobby(), rules=rules) as server:
    tab = browser.open(f"http://{server.at}/")
    tab.wait(f"{STATE} === 'locked'")
    assert focused(tab)[0] == "token"
    for token, why in (
      ("wrong-but-long-enough", "does not know"),
      ("no blanks", "cannot send"),
      (TOKEN, ""),
    ):
      tab.run("document.getElementById('token').value = ''")
      tab.click("#token")
      tab.type(token)
      tab.press("Enter")
      if why:
        told = "document.getElementById('token-error').textContent"
        tab.wait(f"{told}.includes({why!r})")
    tab.wait(f"{STATE} === 'loading'")
    may_come.set()
    start(tab)
    tab.check()
  # The server is gone; it may come again.
  tab.wait(f"{STATE} === 'lost'")
  tab.wait("document.getElementById('notice').dataset.code"
           " === 'reconnecting'")  # fmt: skip
  assert "lost" in tab.text("#notice")
  tab.click("[data-action=end]")
  tab.wait(f"{STATE} === 'offline'")
  assert "does not answer" in tab.text("#notice")
  tab.close()


@pytest.fixture(scope="module")
def lab(browser, site):
  """A page whose modules are tried one by one."""
  tab = browser.open(f"http://{site.at}/")
  yield tab
  tab.check()
  tab.close()


RESAMPLE = """(async () => {{
  const {{ Resampler }} = await import("/resample.js");
  const samples = Float32Array.from({samples});
  const run = (cuts) => {{
    const resampler = new Resampler({source}, {target});
    const found = [];
    let from = 0;
    for (let n = 0; from < samples.length; n++) {{
      const to = from + cuts[n % cuts.length];
      found.push(...resampler.push(samples.subarray(from, to)));
      from = to;
    }}
    return found;
  }};
  return [run([samples.length]), run([128]), run([1, 700, 13])];
}})()"""


@pytest.mark.parametrize(
  ("source", "target"),
  [(48_000, 16_000), (44_100, 16_000), (16_000, 48_000), (16_000, 44_100),
   (16_000, 16_000)],
)  # fmt: skip
def test_rates_change_as_on_the_server(lab, source, target):
  rng = np.random.default_rng(0)
  samples = np.float32(rng.uniform(-1, 1, 6000))
  whole, *cut = lab.run(
    RESAMPLE.format(samples=samples.tolist(), source=source, target=target)
  )
  # However it is cut, the bits are the same.
  assert whole == cut[0] == cut[1]
  wanted = resample.Resampler(source, target).push(samples)
  assert len(whole) == len(wanted) > 0
  # Sums of some hundred products, there in doubles and here in floats.
  np.testing.assert_allclose(whole, wanted, atol=2e-6)


def test_sound_goes_over_the_wire_as_the_server_has_it(lab):
  samples = np.float32([0, 0.5, -0.5, 1.0, -1.0, 1.5, -1.5, 1e-5, 0.3333])
  text, back = lab.run(
    f"""(async () => {{
      const pcm = await import("/pcm.js");
      const text = pcm.toBase64(pcm.toPcm({samples.tolist()}));
      return [text, [...pcm.toFloats(pcm.fromBase64(text))]];
    }})()"""
  )
  assert base64.b64decode(text) == wire_sound.pcm(samples)
  np.testing.assert_array_equal(
    np.float32(back), wire_sound.samples(base64.b64decode(text))
  )


JITTER = """(async () => {{
  const {{ JitterBuffer }} = await import("/jitter.js");
  const delays = {delays};
  const loud = {loud};
  const buffer = new JitterBuffer(16000);
  const out = new Float32Array(160);
  const heard = [];
  const waited = [];
  let piece = 0;
  // Ten milliseconds at a time; piece n comes at 200 n ms and its delay.
  for (let ms = 0; ms < 200 * delays.length + 2000; ms += 10) {{
    while (piece < delays.length && 200 * piece + delays[piece] <= ms) {{
      const at = 3200 * piece;
      waited.push(buffer.waiting / 16);
      buffer.push(Float32Array.from({{ length: 3200 }}, (_, n) => at + n >= loud
        ? 0 : 0.1 + 1e-5 * (at + n)));
      piece += 1;
    }}
    buffer.pull(out);
    heard.push(...out);
  }}
  return {{ heard, gaps: buffer.gaps, margin: buffer.margin / 16,
           dropped: buffer.dropped, waited }};
}})()"""


def play(lab, delays, loud=10**9):
  found = lab.run(JITTER.format(delays=json.dumps(delays), loud=loud))
  return found, np.array(found["heard"])


def test_what_comes_unevenly_is_heard_without_gaps(lab):
  delays = [20, 70, 30, 60, 20, 75, 20, 20, 70, 20]
  found, heard = play(lab, delays)
  # Once it ran dry: in the end.
  assert found["gaps"] == 1 and found["dropped"] == 0
  begin = int(np.flatnonzero(heard)[0])
  # It begins when the first piece has waited for as long as the margin.
  assert 60 <= begin / 16 - delays[0] <= 80
  whole = 0.1 + 1e-5 * np.arange(3200 * len(delays))
  fade = 80
  part = heard[begin + fade : begin + len(whole)]
  np.testing.assert_allclose(part, whole[fade:], atol=1e-6)


def test_a_worse_network_is_waited_for_longer(lab):
  late = [0, 0, 150, 0, 150, 0, 150, 0, 150, 0, 150, 0]
  found, heard = play(lab, late)
  # It ran dry once or twice, until it waited long enough; and in the end.
  assert 2 <= found["gaps"] <= 3 and found["margin"] > 60
  # Where it runs dry the sound fades instead of breaking off.
  assert np.abs(np.diff(heard)).max() < 0.02


def test_a_delay_that_is_not_needed_is_given_back_where_it_is_quiet(lab):
  # A second late for once, then punctual, and silent from the 4th second on.
  late = [0, 0, 0] + [max(0, 1000 - 200 * n) for n in range(5)] + [0] * 60
  found, _ = play(lab, late, loud=3200 * 20)
  assert found["gaps"] <= 3 and found["dropped"] == 0
  # What waits when the next piece comes: too much for long, then a margin.
  assert min(found["waited"][10:20]) > 700
  assert 40 < found["waited"][-1] < 150


@pytest.mark.parametrize(
  ("value", "drawn"),
  [
    ({"chart": "bar", "data": {"red": 1, "blue": 2}}, True),
    ({"chart": "bar", "data": {"a": -1, "b": 0}}, True),
    ({"chart": "line", "data": {"x": {"a": 1, "b": 2}, "y": {"b": 3}}}, True),
    ({"chart": "line", "data": [[0, 1], [1, 4], [2, 9]]}, True),
    ({"chart": "pie", "data": {"a": 1}}, True),
    ({"chart": "scatter", "data": [[0, 1]]}, True),
    ({"chart": "bar", "data": [[0, 1]]}, False),
    ({"chart": "bar", "data": {}}, False),
    ({"chart": "bar", "data": {"a": "1"}}, False),
    ({"chart": "bar", "data": {"a": None}}, False),
    ({"chart": "bar", "data": {str(n): n for n in range(99)}}, False),
    ({"chart": "pie", "data": {"a": -1}}, False),
    ({"chart": "map", "data": {"a": 1}}, False),
    ({"chart": "bar", "title": 5, "data": {"a": 1}}, False),
    ([], False),
    ("chart", False),
    (None, False),
  ],
)
def test_charts_are_drawn_and_nothing_else_is(lab, value, drawn):
  found = lab.run(
    f"""(async () => {{
      const chart = await import("/chart.js");
      const found = chart.read({json.dumps(value)});
      return found && new XMLSerializer().serializeToString(chart.draw(found));
    }})()"""
  )
  assert (found is not None) == drawn
  if drawn:
    # Every number is there, and none that is no number.
    assert "NaN" not in found and "Infinity" not in found
    assert found.count("<td>") >= 1


def test_objects_are_found_in_what_comes_in_pieces(lab):
  text = ' two {"a": "}{\\"", "b": {"c": 1}} three {"d": 2}{'
  for size in (1, 5, len(text)):
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    found = lab.run(
      f"""(async () => {{
        const {{ Objects }} = await import("/screen.js");
        const objects = new Objects();
        return {json.dumps(pieces)}.flatMap((one) => objects.take(one));
      }})()"""
    )
    assert [json.loads(one) for one in found] == [
      {"a": '}{"', "b": {"c": 1}},
      {"d": 2},
    ]
