"""Fetching a model from a hub: weights as safetensors and settings, nothing that runs. As nobody: the hub is not
shown a token that this machine may hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from accounts.sentences import SentenceError
from accounts.sentences import gettext_noop as _

_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_WEIGHTS = ".safetensors"
_WANTED = (".json", _WEIGHTS, ".txt", ".model", ".jinja")
_SECONDS = 10.0  # that the hub may take to say what it has

Tell = Callable[[int, str], None]  # bytes that are here, and the file that comes next; may raise to stop


class HubError(SentenceError):
    """The hub cannot be reached, has no such model for everybody, or that is none to take."""


@dataclass(frozen=True)
class Found:
    """`revision`: the commit that was found: what is fetched is what was looked at. `files`: name -> bytes."""

    hub_id: str
    revision: str
    files: dict[str, int]

    @property
    def bytes(self) -> int:
        return sum(self.files.values())


def is_id(text: str) -> bool:
    """
    >>> is_id("FacebookAI/xlm-roberta-base"), is_id("../.."), is_id("/srv/models/own")
    (True, False, False)
    """
    return _ID.fullmatch(text) is not None


def look(hub_id: str) -> Found:
    """Ask the hub for a model.

    Raises:
        HubError: the hub cannot be reached, has no such model for us, or that has no safetensors.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    try:
        told = huggingface_hub.model_info(hub_id, files_metadata=True, timeout=_SECONDS, token=False)
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "?"
        raise HubError(
            _("The hub gives no model %(id)s (%(status)s): look whether it is spelt so and open to all."),
            id=hub_id,
            status=status,
        ) from error
    except Exception as error:  # the client raises its HTTP library's own kinds
        raise HubError(
            _(
                "The hub cannot be reached from this machine (%(why)s): fetch %(id)s elsewhere, copy its folder "
                "here and give that."
            ),
            id=hub_id,
            why=type(error).__name__,
        ) from error
    # Other formats of the same model lie in folders of their own.
    files = {
        one.rfilename: one.size or 0
        for one in told.siblings or ()
        if "/" not in one.rfilename and one.rfilename.endswith(_WANTED)
    }
    if not told.sha or not any(name.endswith(_WEIGHTS) for name in files):
        raise HubError(
            _("The hub's %(id)s holds no safetensors: other formats can run code when they are read."),
            id=hub_id,
        )
    return Found(hub_id=hub_id, revision=told.sha, files=files)


def missing(found: Found, folder: Path) -> int:
    """Bytes of the files that a folder does not hold whole."""
    return sum(
        size
        for name, size in found.files.items()
        if not (folder / name).is_file() or (folder / name).stat().st_size != size
    )


def fetch(found: Found, folder: Path, tell: Tell) -> None:
    """Download what was looked at into a folder, file by file; what lies there from a try that broke off is not
    fetched again. `tell` is called before each file and at the end.

    Raises:
        HubError: the hub went away meanwhile.
    """
    import huggingface_hub

    here = 0
    for name, size in found.files.items():
        tell(here, name)
        try:
            huggingface_hub.hf_hub_download(
                found.hub_id, name, revision=found.revision, local_dir=folder, token=False
            )
        except Exception as error:  # as above
            raise HubError(
                _("%(id)s could not be fetched to its end (%(why)s): try again."),
                id=found.hub_id,
                why=type(error).__name__,
            ) from error
        here += size
    tell(here, "")
