"""Old files, keys and sessions removed, each kind by itself. Called by the action `automation.cleanup_cache`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from automation.services.effects.cleanup import files, keys, sessions
from automation.services.effects.cleanup.removed import Absent, Removed
from config.kernel.flow import clock

__all__ = ["KINDS", "Absent", "Removed", "clean"]

KINDS: Mapping[str, Callable[[timedelta, Sequence[str]], Removed]] = {
    "files": lambda age, folders: files.clean_folders(folders, before=clock.now() - age),
    "redis": lambda age, _: keys.clean(idle=age),
    "sessions": lambda *_: sessions.clean(before=clock.now()),
    "temp": lambda age, _: files.clean_temporary(before=clock.now() - age),
}


def clean(kinds: Sequence[str], *, max_age: timedelta, folders: Sequence[str] = ()) -> dict[str, Removed | Absent]:
    """Kind → what was removed of it, or what is not configured.

    `folders` are for `files`; raises Forbidden for one outside of what may be written, TemporaryError while Redis is away.
    """
    for folder in folders:
        files.allowed(folder)
    found: dict[str, Removed | Absent] = {}
    for kind in dict.fromkeys(kinds):
        try:
            found[kind] = KINDS[kind](max_age, folders)
        except Absent as missing:
            found[kind] = missing
    return found
