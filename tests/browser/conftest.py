"""One installation and one browser for all tests of this folder, and an operator who looks at it: wide and light, narrow and dark."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support import browser, stack

PASSWORD = "correct horse battery"


@pytest.fixture(scope="package")
def chromium() -> Iterator[Any]:
    """A running browser; without one these tests are skipped, which `--no-skip` takes for a failure."""
    try:
        with browser.running() as found:
            yield found
    except browser.Missing as reason:
        pytest.skip(f"NOT SEEN IN A BROWSER: {reason}")


@pytest.fixture(scope="package")
def house(tmp_path_factory: pytest.TempPathFactory, chromium: Any) -> Iterator[stack.Stack]:
    """Real processes on the present stand. Asked for after the browser: without one there is nothing to start."""
    with stack.installation(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="package")
def session(chromium: Any, house: stack.Stack) -> dict[str, Any]:
    """The cookies of an administrator who logged in once."""
    context = browser.look(chromium, width=browser.WIDE)
    browser.log_in(context.new_page(), house.url, password=PASSWORD)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture(params=["wide and light", "narrow and dark"])
def window(request: pytest.FixtureRequest, chromium: Any) -> Iterator[Any]:
    """A window of either kind, nobody logged in."""
    is_wide = request.param.startswith("wide")
    made = browser.look(chromium, width=browser.WIDE if is_wide else browser.NARROW, scheme="light" if is_wide else "dark")
    yield made
    made.close()


@pytest.fixture
def watched(window: Any, house: stack.Stack) -> Iterator[Callable[[], Any]]:
    """Opens pages that are watched; at the end none may have complained of anything, and none may be wider than its window."""
    watch, opened = browser.Watch(house.url), []

    def open_page() -> Any:
        page = window.new_page()
        watch.over(page)
        opened.append(page)
        return page

    yield open_page
    wide = [sentence for page in opened for sentence in browser.too_wide(page)]
    assert watch.complaints + wide == []


@pytest.fixture
def desk(window: Any, watched: Callable[[], Any], session: dict[str, Any]) -> Any:
    """A watched page of the administrator."""
    window.add_cookies(session["cookies"])
    return watched()
