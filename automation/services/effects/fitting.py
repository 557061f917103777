"""Texts cut so that they fit into the output of an action, which holds 64 kB of JSON. Called by the services of actions."""

import orjson

from config.acts.texts import storable

ROOM_BYTES = 24 * 1024


def head(text: str, *, room: int = ROOM_BYTES) -> str:
    """The beginning of a text, as long as its JSON takes at most `room` bytes; what no database stores is replaced."""
    text = storable.text(text[:room])
    while len(orjson.dumps(text)) > room:
        text = text[: len(text) // 2]
    return text


def tail(text: str, *, room: int = ROOM_BYTES) -> str:
    """The end of a text, as `head`."""
    text = storable.text(text[-room:])
    while len(orjson.dumps(text)) > room:
        text = text[-(len(text) // 2) :]
    return text
