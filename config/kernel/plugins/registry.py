"""Plug-ins by key. One registry per kind; apps register, callers look up, tests swap."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Registry(Generic[T]):
    """Keys are addresses: `<app>.<name>`. With `one_file_each`, the key's plug-in must live in `<app>/<room>/<name>.py`."""

    def __init__(self, room: str, *, one_file_each: bool = False) -> None:
        self.room = room
        self.one_file_each = one_file_each
        self._found: dict[str, T] = {}

    def register(self, key: str, plugin: T, *, module: str = "") -> T:
        """Add a plug-in. Raises ValueError when the key is taken or is not the address of its module."""
        if key in self._found:
            raise ValueError(f"{self.room}: {key!r} is taken by {self._found[key]!r}")
        app, _, name = key.partition(".")
        if not name:
            raise ValueError(f"{self.room}: {key!r} must read <app>.<name>")
        if self.one_file_each and module and not module.endswith(f"{app}.{self.room}.{name}"):
            raise ValueError(f"{self.room}: {key!r} must live in {app}/{self.room}/{name}.py, not in {module}")
        self._found[key] = plugin
        return plugin

    def get(self, key: str) -> T:
        """The plug-in. Raises KeyError with the nearest keys when there is none."""
        try:
            return self._found[key]
        except KeyError:
            raise KeyError(f"no {self.room} {key!r}; there are: {', '.join(sorted(self._found)) or 'none'}") from None

    def all(self) -> dict[str, T]:
        """Every plug-in by key, in the order of registration."""
        return dict(self._found)

    def choices(self) -> list[tuple[str, str]]:
        """For form fields; give the method itself to a column, so that a new plug-in makes no migration."""
        return [(key, key) for key in sorted(self._found)]

    @contextmanager
    def swapped(self, key: str, plugin: T) -> Iterator[None]:
        """For tests: `plugin` answers under `key` within the block."""
        before = self._found.get(key)
        self._found[key] = plugin
        try:
            yield
        finally:
            if before is None:
                del self._found[key]
            else:
                self._found[key] = before

    def plugin(self, key: str) -> Callable[[T], T]:
        """`register` as a decorator."""

        def add(plugin: T) -> T:
            return self.register(key, plugin, module=getattr(plugin, "__module__", ""))

        return add
