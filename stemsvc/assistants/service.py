"""The service as one key sees it. Whatever an assistant asks goes through here, so it can do no more than its key."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

from stemsvc_client import AsyncClient, Retry
from stemsvc_client.calls import found_object
from stemsvc_client.messages import Answer, Request
from stemsvc_client.retries import sent
from stemsvc_client.steps import Flow

PATIENCE = Retry(20.0)


class Service:
    """A client of the api with a key, or without one."""

    def __init__(self, url: str, key: str | None) -> None:
        self.client = AsyncClient(url, key, retry=PATIENCE)

    async def __aenter__(self) -> Service:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.close()

    async def get(self, path: str) -> dict[str, Any]:
        """The JSON object at a path. Raises the client's `StemsvcError`."""
        return await self.client.drive(_object(Request("GET", path)))

    async def text(self, url: str) -> str:
        """The text at a path of the service, or at a signed URL. Raises the client's `StemsvcError`."""
        return await self.client.drive(_text(Request("GET", url)))

    async def post(self, path: str, body: Mapping[str, Any], key: str | None = None) -> dict[str, Any]:
        """The answer to a body. With an idempotency `key` it is sent again where that may help."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self.client.drive(_object(Request("POST", path, headers=headers, json=body)))


def _object(request: Request) -> Flow[dict[str, Any]]:
    return found_object((yield from sent(request, PATIENCE)))


def _text(request: Request) -> Flow[str]:
    answer: Answer = yield from sent(request, PATIENCE)
    return answer.body.decode("utf-8", "replace")
