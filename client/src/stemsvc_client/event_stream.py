"""Reads server-sent events out of the parts of a body, however they are cut (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator

from stemsvc_client.results import Event

_END = re.compile(r"\r\n|\n|\r(?!$)")  # a part that ends with CR may go on with LF


class EventStream:
    """The events of one body: give it each part."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._text = ""
        self._event, self._id = "", ""
        self._data: list[str] = []

    def feed(self, part: bytes) -> Iterator[Event]:
        """The events that this part completes. Comments, and events that are no JSON objects, are left out."""
        *lines, self._text = _END.split(self._text + self._decode(part))
        for line in lines:
            if line:
                self._take(*line.partition(":")[::2])
            elif (found := self._complete()) is not None:
                yield found

    def _take(self, name: str, value: str) -> None:
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value

    def _complete(self) -> Event | None:
        text, name, number = "\n".join(self._data), self._event, self._id
        self._data, self._event, self._id = [], "", ""
        try:
            data = json.loads(text) if text else None
        except ValueError:
            return None
        if not isinstance(data, dict):
            return None
        raw = {"event": name or "message", "data": data, **({"id": number} if number else {})}
        return Event.of(raw)
