"""The page at /: files for a browser, and the headers that guard it.

    static/index.html, style.css   what is seen
    static/app.js                  what is pressed, and what is told
    static/talk.js                 one conversation; below it:
      live.js, turns.js            the Live protocol, put together by turns
      sound.js, capture.js, player.js, jitter.js, resample.js, pcm.js
      camera.js                    pictures
      history.js, timeline.js      what the timeline shows, and how
      tape.js                      files that are made in the browser
    static/transcript.js, screen.js, chart.js, notice.js, sketch.js

Plain ES modules, served as they lie here: nothing is built, and nothing comes
from elsewhere.
"""

from pathlib import Path
from typing import Any, Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles

FOLDER: Final = Path(__file__).parent / "static"

POLICY: Final = "; ".join(
  [
    "default-src 'none'",
    # The worklets of the sound are scripts too.
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    # What a model writes can become markup nowhere, not even by a mistake.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ]
)
"""What a browser may do for the page: use its own files and its own server.

Reference: W3C, Content Security Policy Level 3; Trusted Types.
"""

HEADERS: Final = {
  "Cache-Control": "no-cache",
  "Content-Security-Policy": POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "microphone=(self), camera=(self)",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
}
"""Of every file. It is asked each time whether a file is still the same, so
that those of two versions never meet in one page."""


class Page(StaticFiles):
  """Files that are served with headers which keep strangers out."""

  def __init__(self, folder: Path = FOLDER):
    super().__init__(directory=folder, html=True)

  def file_response(self, *args: Any, **more: Any) -> Response:
    """The answer that a file is, or that it is still the same."""
    response = super().file_response(*args, **more)
    response.headers.update(HEADERS)
    return response
