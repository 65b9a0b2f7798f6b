"""A real browser without a window, driven over its DevTools protocol.

It hears a file in place of a microphone and sees a picture that moves in place
of a camera. What goes wrong on a page (errors, exceptions, breaches of its
policy) is collected, and each test ends by looking at it.
"""

import base64
import contextlib
import functools
import json
import os
import shutil
import subprocess
import time

import pytest
import soundfile
from websockets.sync.client import connect

from interaction_jax.serve.background.job import Finding
from interaction_jax.serve.engine import Engine
from interaction_jax.serve.protocol.lobby import Lobby

NUM = 3
"""Sessions, as many as in the other tests: so their programs are the same."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

KEYS = {
  "Tab": 9,
  "Enter": 13,
  "Escape": 27,
  " ": 32,
  "End": 35,
  "Home": 36,
  "ArrowLeft": 37,
  "ArrowRight": 39,
}


def _path():
  """The browser.

  `CHROMIUM` names it, else it is looked for by its usual names.
  """
  named = os.environ.get("CHROMIUM")
  found = [named] if named else [shutil.which(name) for name in NAMES]
  path = next((one for one in found if one), None)
  if path is None or not os.access(path, os.X_OK):
    pytest.skip(
      "the page is tested in a real browser, and there is none: none of "
      f"{', '.join(NAMES)} is on PATH, and CHROMIUM={named!r} is no program. "
      "`apt-get install chromium` brings one, as .ci/run does where it may."
    )
  return path


PATIENT = """
const timeout = window.setTimeout;
window.setTimeout = (call, ms, ...given) =>
  timeout(call, ms === 4000 || ms === 8000 ? 300000 : ms, ...given);
"""
"""On a busy machine a loudspeaker and a server take longer than a user would
wait."""


class Browser:
  """A browser, as long as it is entered."""

  def __init__(self, folder, heard):
    """Prepares it.

    Args:
      heard: the file that its microphone plays, again and again.
    """
    command = [
      _path(),
      "--headless=new",
      "--remote-debugging-port=0",
      f"--user-data-dir={folder}",
      "--no-first-run",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-extensions",
      "--disable-background-networking",
      "--disable-background-timer-throttling",
      "--disable-renderer-backgrounding",
      "--disable-backgrounding-occluded-windows",
      "--autoplay-policy=user-gesture-required",
      "--use-fake-device-for-media-stream",
      f"--use-file-for-fake-audio-capture={heard}",
    ]
    if os.geteuid() == 0:
      # Its sandbox is not to be had as root; all it opens is our own page.
      command.append("--no-sandbox")
    self._command, self._folder = command, folder
    self._last = 0
    self._tabs = {}

  def __enter__(self):
    self._process = subprocess.Popen(
      self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    told = self._folder / "DevToolsActivePort"
    until = time.monotonic() + 600
    while not (told.is_file() and told.read_text().count("\n")):
      assert self._process.poll() is None, "the browser ended at once"
      assert time.monotonic() < until, "the browser did not start"
      time.sleep(0.02)
    port, path = told.read_text().split("\n")[:2]
    self._connection = connect(
      f"ws://127.0.0.1:{port}{path}",
      max_size=None,
      ping_interval=None,
      open_timeout=300,
    )
    self._socket = self._connection.__enter__()
    return self

  def __exit__(self, *given):
    self.call("Browser.close")
    self._connection.__exit__(*given)
    self._process.wait(300)

  def call(self, method, session=None, **params):
    """Asks for something; returns what it answers."""
    self._last += 1
    message = {"id": self._last, "method": method, "params": params}
    if session is not None:
      message["sessionId"] = session
    self._socket.send(json.dumps(message))
    wanted = self._last
    while True:
      told = json.loads(self._socket.recv(timeout=300))
      if told.get("id") == wanted:
        assert "error" not in told, f"{method}: {told['error']}"
        return told["result"]
      self._take(told)

  def hear(self):
    """Takes in what it tells without being asked."""
    with contextlib.suppress(TimeoutError):
      while True:
        self._take(json.loads(self._socket.recv(timeout=0.01)))

  def open(self, url, **options):
    """A page in a context of its own."""
    context = self.call("Target.createBrowserContext")["browserContextId"]
    target = self.call(
      "Target.createTarget", url="about:blank", browserContextId=context
    )["targetId"]
    session = self.call("Target.attachToTarget", targetId=target, flatten=True)[
      "sessionId"
    ]
    tab = Tab(self, session, context)
    self._tabs[session] = tab
    tab.begin(url, **options)
    return tab

  def _take(self, told):
    tab = self._tabs.get(told.get("sessionId"))
    if tab is not None and "method" in told:
      tab.take(told["method"], told["params"])


class Tab:
  """A page.

  Attributes:
    troubles: errors and breaches that it told of.
    requests: addresses that it asked for.
  """

  def __init__(self, browser, session, context):
    self._browser, self._context = browser, context
    self.call = functools.partial(browser.call, session=session)
    self.troubles, self.requests = [], []
    self._loaded = False

  def begin(
    self,
    url,
    *,
    allowed=("microphone", "camera"),
    denied=(),
    size=(1280, 860),
    media=None,
    before="",
    patient=True,
    downloads=None,
  ):
    """Goes to an address.

    Args:
      allowed: what the user would have allowed; all else waits for him.
      denied: what he would have forbidden.
      media: features of CSS.
      before: a script that runs before those of the page.
      patient: whether a loudspeaker may take as long as it likes.
      downloads: a folder for files.
    """
    origin = "/".join(url.split("/")[:3])
    for names, setting in ((allowed, "granted"), (denied, "denied")):
      for name in names:
        self._browser.call(
          "Browser.setPermission",
          permission={"name": name},
          setting=setting,
          origin=origin,
          browserContextId=self._context,
        )
    if downloads is not None:
      self._browser.call(
        "Browser.setDownloadBehavior",
        behavior="allow",
        downloadPath=str(downloads),
        browserContextId=self._context,
      )
    for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
      self.call(f"{domain}.enable")
    self.call("Page.setBypassCSP", enabled=False)
    self.resize(*size)
    if media:
      self.media(**media)
    for script in (PATIENT if patient else "", before):
      if script:
        self.call("Page.addScriptToEvaluateOnNewDocument", source=script)
    self.call("Page.navigate", url=url)
    self.wait("document.readyState === 'complete'")

  def take(self, method, params):
    """Notes what the browser tells of the page."""
    if method == "Runtime.exceptionThrown":
      self.troubles.append(params["exceptionDetails"])
    elif method == "Runtime.consoleAPICalled":
      if params["type"] in ("error", "assert", "warning"):
        self.troubles.append(params["args"])
    elif method == "Log.entryAdded":
      if params["entry"]["level"] in ("error", "warning"):
        self.troubles.append(params["entry"])
    elif method == "Audits.issueAdded":
      self.troubles.append(params["issue"])
    elif method == "Network.requestWillBeSent":
      self.requests.append(params["request"]["url"])
    elif method == "Network.webSocketCreated":
      self.requests.append(params["url"])

  def resize(self, width, height, mobile=False, scale=1):
    """Makes the window so large."""
    self.call(
      "Emulation.setDeviceMetricsOverride",
      width=width, height=height, deviceScaleFactor=scale, mobile=mobile,
    )  # fmt: skip

  def media(self, **features):
    """Sets features of CSS: `prefers_color_scheme="dark"`."""
    told = [
      {"name": name.replace("_", "-"), "value": value}
      for name, value in features.items()
    ]
    self.call("Emulation.setEmulatedMedia", features=told)

  def run(self, script):
    """The value of a script, awaited, as an action of the user."""
    told = self.call(
      "Runtime.evaluate",
      expression=script,
      awaitPromise=True,
      returnByValue=True,
      userGesture=False,
    )
    assert "exceptionDetails" not in told, told["exceptionDetails"]
    return told["result"].get("value")

  def wait(self, script, seconds=300):
    """Waits until a script says something that is true; returns it."""
    until = time.monotonic() + seconds
    while True:
      value = self.run(script)
      if value:
        return value
      assert time.monotonic() < until, f"it never came: {script}"
      time.sleep(0.05)

  def text(self, selector):
    """What somebody reads in an element."""
    return self.run(f"document.querySelector({selector!r}).innerText")

  def click(self, selector):
    """Presses where an element is, as a mouse does."""
    x, y = self.run(
      f"""(() => {{
        const found = document.querySelector({selector!r});
        found.scrollIntoView({{block: "center"}});
        const box = found.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2];
      }})()"""
    )
    for kind in ("mousePressed", "mouseReleased"):
      self.call(
        "Input.dispatchMouseEvent",
        type=kind, x=x, y=y, button="left", clickCount=1,
      )  # fmt: skip

  def press(self, key, shift=False):
    """Presses a key."""
    code = {
      "key": key,
      "code": "Space" if key == " " else key,
      "windowsVirtualKeyCode": KEYS[key],
      "modifiers": 8 if shift else 0,
    }
    text = {" ": " ", "Enter": "\r"}.get(key)
    down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
    self.call("Input.dispatchKeyEvent", **down, **code)
    self.call("Input.dispatchKeyEvent", type="keyUp", **code)

  def type(self, text):
    """Types a text where the focus is."""
    self.call("Input.insertText", text=text)

  def shoot(self, path):
    """Takes a picture of it."""
    told = self.call("Page.captureScreenshot", format="png")
    path.write_bytes(base64.b64decode(told["data"]))

  def forget(self):
    """What went wrong so far was meant to."""
    self._browser.hear()
    self.troubles.clear()

  def check(self):
    """Nothing went wrong on it."""
    self._browser.hear()
    assert self.troubles == []

  def close(self):
    """Closes it, and forgets all that it kept."""
    self._browser.call(
      "Target.disposeBrowserContext", browserContextId=self._context
    )


@pytest.fixture(scope="session")
def browser(root, tmp_path_factory):
  """A browser whose microphone plays the example of the README."""
  folder = tmp_path_factory.mktemp("browser")
  samples, rate = soundfile.read(root / "examples" / "conversation.flac")
  soundfile.write(folder / "heard.wav", samples, rate, subtype="PCM_16")
  with Browser(folder, folder / "heard.wav") as running:
    yield running


class Adder:
  """A background model that draws what it was asked for."""

  async def run(self, context):
    data = {"red": 2, "blue": 5}
    shown = {"chart": "bar", "title": context.task, "data": data}
    yield Finding(text="here it is", shown=shown)


@pytest.fixture(scope="session")
def engines(model, lively, unhurried):
  """Makes engines in which nothing is late."""

  def make():
    return Engine(model, sessions=NUM, sampling=lively, pace=unhurried)

  return make


@pytest.fixture(scope="session")
def site(running, engines):
  """A server with the page, for all tests."""
  with running(engines, lobby=Lobby(background=Adder())) as server:
    until = time.monotonic() + 600
    while server.lobby.engine is None:
      assert time.monotonic() < until, "the engine did not come"
      time.sleep(0.05)
    yield server


@pytest.fixture
def visit(browser, site):
  """Opens the page; whatever a test does with it, nothing goes wrong there."""
  tabs = []

  def visit(at=None, **options):
    tab = browser.open(f"http://{at or site.at}/", **options)
    tabs.append(tab)
    return tab

  yield visit
  try:
    for tab in tabs:
      tab.check()
  finally:
    for tab in tabs:
      tab.close()
    site.settle()
