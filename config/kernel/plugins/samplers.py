"""What a sampler offers: numbers that are worth keeping, and what they mean. It lives in `<app>/samplers/<name>.py`."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from config.kernel.language.facts import Fact
from config.kernel.plugins.registry import Registry


class Sampler:
    """Measures a few things at once, every AUTOMATION_CHECK_INTERVAL seconds."""

    title: ClassVar[str] = ""
    # Its values replace those of the same names from elsewhere, and so do its gaps.
    overrides: ClassVar[bool] = False

    def facts(self) -> Sequence[Fact]:
        """What it may measure: the names that conditions, charts and the API know, with unit and meaning. Asked anew now and then.
        A name with a part in angle brackets, `queues.<name>.depth`, is a family."""
        raise NotImplementedError

    def measure(self) -> Mapping[str, float | None]:
        """Name → value now. What cannot be measured is left out, or None: a gap, never a zero. Must end within two seconds.
        Rates: `kernel.series.window.current()`."""
        raise NotImplementedError


samplers: Registry[Sampler] = Registry("samplers", one_file_each=True)
