"""The client for asyncio."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import aclosing
from types import MethodType, TracebackType
from typing import Any, BinaryIO, Concatenate, Generic, ParamSpec, TypeVar, overload

import httpx

from stemsvc_client import transport
from stemsvc_client.draft import CHUNK
from stemsvc_client.flows import Flows
from stemsvc_client.messages import Answer, Request
from stemsvc_client.retries import Retry
from stemsvc_client.steps import Close, Emit, Emitting, Flow, Open, Pause, Read, Send, Step, Tell, Work

P = ParamSpec("P")
T = TypeVar("T")


class Awaiting(Generic[P, T]):
    """A method of `AsyncClient` that drives a flow and returns what the flow returns."""

    def __init__(self, make: Callable[Concatenate[Flows, P], Flow[T]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, client: None, owner: type[AsyncClient]) -> Awaiting[P, T]: ...

    @overload
    def __get__(self, client: AsyncClient, owner: type[AsyncClient]) -> Callable[P, Coroutine[Any, Any, T]]: ...

    def __get__(self, client: AsyncClient | None, owner: type[AsyncClient]) -> Any:
        """The method of this client."""
        if client is None:
            return self
        bound = MethodType(self._make, client.flows)

        @functools.wraps(bound)
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return await client.drive(bound(*args, **kwargs))

        return call


class Iterating(Generic[P, T]):
    """A method of `AsyncClient` that iterates over what a flow emits."""

    def __init__(self, make: Callable[Concatenate[Flows, P], Emitting[T]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, client: None, owner: type[AsyncClient]) -> Iterating[P, T]: ...

    @overload
    def __get__(self, client: AsyncClient, owner: type[AsyncClient]) -> Callable[P, AsyncIterator[T]]: ...

    def __get__(self, client: AsyncClient | None, owner: type[AsyncClient]) -> Any:
        """The method of this client."""
        if client is None:
            return self
        bound = MethodType(self._make, client.flows)

        @functools.wraps(bound)
        def call(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
            return client.iterate(bound(*args, **kwargs))

        return call


class AsyncClient:
    """Calls one stemsvc, as `Client` does. Tasks may share it. Its listeners may be coroutine functions."""

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 60.0, retry: Retry | None = None) -> None:
        self.url = url
        self.flows = Flows(retry or Retry())
        self._service = httpx.AsyncClient(**transport.settings(url, key, timeout))
        self._foreign = httpx.AsyncClient(**transport.foreign(timeout))

    run = Awaiting(Flows.run)
    start = Awaiting(Flows.start)
    create_mix = Awaiting(Flows.create_mix)
    create_analysis = Awaiting(Flows.create_analysis)
    create_master = Awaiting(Flows.create_master)
    create_generation = Awaiting(Flows.create_generation)
    create_transcription = Awaiting(Flows.create_transcription)
    create_export = Awaiting(Flows.create_export)
    finished = Awaiting(Flows.finished)
    submit = Awaiting(Flows.submit)
    submit_url = Awaiting(Flows.submit_url)
    submit_upload = Awaiting(Flows.submit_upload)
    submit_batch = Awaiting(Flows.submit_batch)
    upload = Awaiting(Flows.upload)
    delete_upload = Awaiting(Flows.delete_upload)
    job = Awaiting(Flows.job)
    jobs = Iterating(Flows.jobs)
    cancel = Awaiting(Flows.cancel)
    retry = Awaiting(Flows.retry)
    delete = Awaiting(Flows.delete)
    events = Iterating(Flows.events)
    wait = Awaiting(Flows.wait)
    download = Awaiting(Flows.download)
    save = Awaiting(Flows.save)
    usage = Awaiting(Flows.usage)
    models = Awaiting(Flows.models)
    run_recipe = Awaiting(Flows.run_recipe)
    run_workflow = Awaiting(Flows.run_workflow)
    start_recipe = Awaiting(Flows.start_recipe)
    start_workflow = Awaiting(Flows.start_workflow)
    workflow = Awaiting(Flows.workflow)
    workflows = Iterating(Flows.workflows)
    cancel_workflow = Awaiting(Flows.cancel_workflow)
    retry_workflow = Awaiting(Flows.retry_workflow)
    delete_workflow = Awaiting(Flows.delete_workflow)
    follow_workflow = Iterating(Flows.follow_workflow)
    wait_workflow = Awaiting(Flows.wait_workflow)
    finished_workflow = Awaiting(Flows.finished_workflow)
    save_workflow = Awaiting(Flows.save_workflow)
    plan_workflow = Awaiting(Flows.plan_workflow)
    recipes = Awaiting(Flows.recipes)
    workers = Awaiting(Flows.workers)
    start_conversation = Awaiting(Flows.start_conversation)
    say = Awaiting(Flows.say)
    confirm_plan = Awaiting(Flows.confirm_plan)
    undo_version = Awaiting(Flows.undo_version)
    regenerate = Awaiting(Flows.regenerate)
    conversation = Awaiting(Flows.conversation)
    conversations = Iterating(Flows.conversations)
    messages = Iterating(Flows.messages)
    follow_conversation = Iterating(Flows.follow_conversation)
    delete_conversation = Awaiting(Flows.delete_conversation)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._service.aclose()
        await self._foreign.aclose()

    async def drive(self, flow: Flow[T]) -> T:
        """Do every step of a flow; returns what it returns."""
        returned: list[T] = []
        async with aclosing(self._driven(flow, returned)) as driven:
            async for _ in driven:
                pass
        return returned[0]

    async def iterate(self, emitting: Emitting[T]) -> AsyncIterator[T]:
        """Do the steps of a flow as its values are asked for."""
        async with aclosing(self._driven(emitting.flow, [])) as driven:
            async for value in driven:
                yield value

    async def _driven(self, flow: Flow[T], returned: list[T]) -> AsyncGenerator[Any, None]:
        answer: Any = None
        error: BaseException | None = None
        async with _Body() as body:
            while True:
                try:
                    step = flow.send(answer) if error is None else flow.throw(error)
                except StopIteration as end:
                    returned.append(end.value)  # an asynchronous generator can't return it
                    return
                answer = error = None
                try:
                    if isinstance(step, Emit):
                        yield step.value
                    else:
                        answer = await self._done(step, body)
                except BaseException as caught:  # whatever it is, the flow decides
                    error = caught

    async def _done(self, step: Step, body: _Body) -> Any:
        match step:
            case Send(request):
                response = await self._sent(request)
                with transport.translated(request.url):
                    async with aclosing(response):
                        return transport.answer(response, await response.aread())
            case Open(request, chunk):
                return await body.open(await self._sent(request), request.url, chunk)
            case Read():
                return await body.read()
            case Close():
                await body.close()
            case Pause(seconds):
                await asyncio.sleep(seconds)
            case Work(act):
                return await asyncio.to_thread(act)
            case Tell(listener, value):
                if inspect.isawaitable(result := listener(value)):
                    await result
        return None

    async def _sent(self, request: Request) -> httpx.Response:
        client, found = self._foreign if request.foreign else self._service, transport.arguments(request)
        with transport.translated(request.url):
            if request.song is None:
                return await client.send(client.build_request(**found), stream=True)
            with request.song.path.open("rb") as file:
                if request.fields is None:
                    found["content"] = _parts(file)
                else:
                    found["files"] = {"file": (request.song.name, file)}
                return await client.send(client.build_request(**found), stream=True)


async def _parts(file: BinaryIO) -> AsyncIterator[bytes]:
    while part := await asyncio.to_thread(file.read, CHUNK):
        yield part


class _Body:
    """The body that a flow has opened."""

    def __init__(self) -> None:
        self._response: httpx.Response | None = None
        self._parts: AsyncIterator[bytes] | None = None
        self._url = ""

    async def __aenter__(self) -> _Body:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self, response: httpx.Response, url: str, chunk: int | None) -> Answer:
        self._response, self._parts, self._url = response, response.aiter_bytes(chunk), url
        with transport.translated(url):
            return transport.answer(response, await response.aread() if response.is_error else b"")

    async def read(self) -> bytes | None:
        assert self._parts is not None
        with transport.translated(self._url):
            return await anext(self._parts, None)

    async def close(self) -> None:
        if self._response is not None:
            await self._response.aclose()
        self._response, self._parts = None, None
