"""A session in a notebook: players, and the microphone of the browser.

    play(sound)         a player whose sound lies inside the notebook
    converse(session)   what the microphone hears goes to a session in this
                        process, and its voice to the loudspeakers

Sound travels over the bridge that Colab has from a page to Python; there is no
server, and no port.
"""

import base64
import importlib
import io
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Float

from interaction_jax.serve.session import Session
from interaction_jax.turns import clock

if TYPE_CHECKING:
  from IPython.core.display import HTML

_SCRIPT: Final = Path(__file__).parent / "notebook.js"

_BRIDGE: Final = "google.colab.output"
"""The module by which a page of Colab calls Python."""


def play(sound: Float[np.ndarray, "..."], *, title: str = "") -> "HTML":
  """A player; a minute takes about 200 KB of the notebook.

  Args:
    sound: at 16 kHz, one channel (samples,) or two (samples, 2).
    title: written above it.

  Raises:
    ValueError: the sound has another shape.
  """
  import soundfile
  from IPython.core.display import HTML

  if sound.ndim not in (1, 2) or (sound.ndim == 2 and sound.shape[1] != 2):
    raise ValueError(
      f"sound has the shape {sound.shape}; (samples,) or (samples, 2) is "
      "wanted."
    )
  file = io.BytesIO()
  soundfile.write(file, np.clip(sound, -1, 1), clock.SAMPLE_RATE, format="MP3")
  data = base64.b64encode(file.getvalue()).decode()
  return HTML(
    f"<figure style='margin:0'><figcaption>{title}</figcaption>"
    f"<audio controls src='data:audio/mpeg;base64,{data}'></audio></figure>"
  )


def converse(session: Session) -> "HTML":
  """A button that leads the browser's microphone to a session.

  Each piece of 200 ms is pushed as it comes; where the way to Python is slower
  than that, those that wait go together.

  Raises:
    RuntimeError: there is no bridge, since this is not Colab.
  """
  from IPython.core.display import HTML, JSON

  try:
    bridge = importlib.import_module(_BRIDGE)
  except ImportError as error:
    raise RuntimeError(
      f"{_BRIDGE} is not there: the microphone of a notebook is for Colab; "
      "`interaction-jax serve` opens a page with one anywhere else."
    ) from error
  name = f"interaction_jax.{uuid.uuid4().hex}"
  bridge.register_callback(name, lambda pcm: JSON(push(session, pcm)))
  script = _SCRIPT.read_text(encoding="utf-8")
  given = json.dumps({"name": name, "rate": clock.SAMPLE_RATE,
                      "samples": clock.SAMPLES})  # fmt: skip
  return HTML(
    f"<div id='{name}'></div><script>{script}\n"
    f"converse(document.getElementById('{name}'), {given});</script>"
  )


def push(session: Session, pcm: str) -> dict[str, Any]:
  """Hears a piece; what came of it, as JSON holds it.

  Args:
    pcm: int16 at 16 kHz, in base64; the voice comes back likewise.
  """
  heard = np.frombuffer(base64.b64decode(pcm), "<i2")
  answer = session.push(heard)
  voice = np.round(answer.audio * 32767).astype("<i2").tobytes()
  return {
    "voice": base64.b64encode(voice).decode(),
    "events": [
      {"kind": event.kind, "text": event.payload.get("text", "")}
      for event in answer.events
    ],
    "compute_ms": [round(turn.compute_ms, 1) for turn in answer.turns],
  }
