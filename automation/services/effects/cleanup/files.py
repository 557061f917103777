"""Old files under the folders in which files may be removed: never out of them, never through a link. Called by `cleanup.clean`.

Everything below a root is opened and removed relative to the open folder, so nobody can slip a link in between look and removal.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from django.conf import settings

from automation.services.effects.cleanup.removed import Removed
from config.kernel.flow.errors import Forbidden

_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def cache_folder() -> Path:
    """Our own files that can be made again."""
    return Path(settings.DATA_DIR) / "cache"


def temporary_folder() -> Path:
    """Our own files that nobody needs tomorrow."""
    return Path(settings.DATA_DIR) / "tmp"


def allowed(folder: str | Path) -> tuple[Path, Path]:
    """The root that `folder` lies in, and the folder, both without links and `..`. Raises Forbidden."""
    found = Path(folder).resolve()
    for root in (cache_folder(), temporary_folder(), *map(Path, settings.STEWARD_WRITABLE_ROOTS)):
        if found.is_relative_to(root.resolve()):
            return root.resolve(), found
    raise Forbidden(
        f"{folder} leads to {found}, which is outside of the folders in which files may be removed. "
        "Name a folder inside of STEWARD_WRITABLE_ROOTS, or add one there."
    )


def clean_folders(folders: Sequence[str], *, before: datetime) -> Removed:
    """Remove what was last written before `before` under `folders`, or under our cache when none is named."""
    removed = Removed()
    for folder in folders or [str(cache_folder())]:
        _clean(folder, before, removed, is_named=bool(folders))
    return removed


def clean_temporary(*, before: datetime) -> Removed:
    """As `clean_folders`, under our folder for temporary files."""
    removed = Removed()
    _clean(temporary_folder(), before, removed)
    return removed


def _clean(folder: str | Path, before: datetime, removed: Removed, *, is_named: bool = False) -> None:
    root, found = allowed(folder)
    if not found.is_dir():
        if is_named:
            removed.left(str(folder), "no folder is there")
        return
    with _opened(root, found) as top:
        device = os.fstat(top).st_dev
        for path, folders, names, here in os.fwalk(".", dir_fd=top, follow_symlinks=False, onerror=_left(removed, found)):
            where = found / path
            folders[:] = [name for name in folders if _is_inside(name, here, device, removed, where / name)]
            for name in names:
                _remove(name, here, before.timestamp(), removed, where / name)


@contextmanager
def _opened(root: Path, found: Path) -> Iterator[int]:
    """`found`, opened step by step from its root: a link that was put in its place meanwhile is not followed (OSError)."""
    here = os.open(root, _OPEN)
    try:
        for part in found.relative_to(root).parts:
            inner = os.open(part, _OPEN, dir_fd=here)
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)


def _is_inside(name: str, here: int, device: int, removed: Removed, path: Path) -> bool:
    """Whether the walk goes on into this folder: not through a link, not onto another disk."""
    info = os.stat(name, dir_fd=here, follow_symlinks=False)
    if stat.S_ISLNK(info.st_mode):
        removed.left(str(path), "a link")
        return False
    if info.st_dev != device:
        removed.left(str(path), "on another disk")
        return False
    return True


def _remove(name: str, here: int, before: float, removed: Removed, path: Path) -> None:
    try:
        info = os.stat(name, dir_fd=here, follow_symlinks=False)
        if stat.S_ISLNK(info.st_mode):
            removed.left(str(path), "a link")
        elif not stat.S_ISREG(info.st_mode):
            removed.left(str(path), "not a file")
        elif info.st_mtime < before:
            os.unlink(name, dir_fd=here)
            removed.took(info.st_size)
    except FileNotFoundError:
        return
    except OSError as error:
        removed.left(str(path), error.strerror or type(error).__name__)


def _left(removed: Removed, found: Path):  # type: ignore[no-untyped-def]
    def note(error: OSError) -> None:
        removed.left(str(found / str(error.filename or "")), error.strerror or type(error).__name__)

    return note
