"""The client with blocking calls."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from types import MethodType, TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

import httpx

from stemsvc_client import transport
from stemsvc_client.flows import Flows
from stemsvc_client.messages import Answer, Request
from stemsvc_client.retries import Retry
from stemsvc_client.steps import Close, Emit, Emitting, Flow, Open, Pause, Read, Send, Step, Tell, Work

P = ParamSpec("P")
T = TypeVar("T")


class Blocking(Generic[P, T]):
    """A method of `Client` that drives a flow and returns what the flow returns."""

    def __init__(self, make: Callable[Concatenate[Flows, P], Flow[T]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, client: None, owner: type[Client]) -> Blocking[P, T]: ...

    @overload
    def __get__(self, client: Client, owner: type[Client]) -> Callable[P, T]: ...

    def __get__(self, client: Client | None, owner: type[Client]) -> Any:
        """The method of this client."""
        if client is None:
            return self
        bound = MethodType(self._make, client.flows)

        @functools.wraps(bound)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            flow: Flow[T] = bound(*args, **kwargs)
            return client.drive(flow)

        return call


class Iterating(Generic[P, T]):
    """A method of `Client` that iterates over what a flow emits."""

    def __init__(self, make: Callable[Concatenate[Flows, P], Emitting[T]]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, client: None, owner: type[Client]) -> Iterating[P, T]: ...

    @overload
    def __get__(self, client: Client, owner: type[Client]) -> Callable[P, Iterator[T]]: ...

    def __get__(self, client: Client | None, owner: type[Client]) -> Any:
        """The method of this client."""
        if client is None:
            return self
        bound = MethodType(self._make, client.flows)

        @functools.wraps(bound)
        def call(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            return client.iterate(bound(*args, **kwargs))

        return call


class Client:
    """Calls one stemsvc. Threads may share it. Every call raises `StemsvcError`, by its code.

    `timeout` is how long the service may be silent, in seconds.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 60.0, retry: Retry | None = None) -> None:
        self.url = url
        self.flows = Flows(retry or Retry())
        self._service = httpx.Client(**transport.settings(url, key, timeout))
        self._foreign = httpx.Client(**transport.foreign(timeout))

    run = Blocking(Flows.run)
    start = Blocking(Flows.start)
    create_mix = Blocking(Flows.create_mix)
    create_analysis = Blocking(Flows.create_analysis)
    create_master = Blocking(Flows.create_master)
    create_generation = Blocking(Flows.create_generation)
    create_transcription = Blocking(Flows.create_transcription)
    create_export = Blocking(Flows.create_export)
    finished = Blocking(Flows.finished)
    submit = Blocking(Flows.submit)
    submit_url = Blocking(Flows.submit_url)
    submit_upload = Blocking(Flows.submit_upload)
    submit_batch = Blocking(Flows.submit_batch)
    upload = Blocking(Flows.upload)
    delete_upload = Blocking(Flows.delete_upload)
    job = Blocking(Flows.job)
    jobs = Iterating(Flows.jobs)
    cancel = Blocking(Flows.cancel)
    retry = Blocking(Flows.retry)
    delete = Blocking(Flows.delete)
    events = Iterating(Flows.events)
    wait = Blocking(Flows.wait)
    download = Blocking(Flows.download)
    save = Blocking(Flows.save)
    usage = Blocking(Flows.usage)
    models = Blocking(Flows.models)
    run_recipe = Blocking(Flows.run_recipe)
    run_workflow = Blocking(Flows.run_workflow)
    start_recipe = Blocking(Flows.start_recipe)
    start_workflow = Blocking(Flows.start_workflow)
    workflow = Blocking(Flows.workflow)
    workflows = Iterating(Flows.workflows)
    cancel_workflow = Blocking(Flows.cancel_workflow)
    retry_workflow = Blocking(Flows.retry_workflow)
    delete_workflow = Blocking(Flows.delete_workflow)
    follow_workflow = Iterating(Flows.follow_workflow)
    wait_workflow = Blocking(Flows.wait_workflow)
    finished_workflow = Blocking(Flows.finished_workflow)
    save_workflow = Blocking(Flows.save_workflow)
    plan_workflow = Blocking(Flows.plan_workflow)
    recipes = Blocking(Flows.recipes)
    workers = Blocking(Flows.workers)
    start_conversation = Blocking(Flows.start_conversation)
    say = Blocking(Flows.say)
    confirm_plan = Blocking(Flows.confirm_plan)
    undo_version = Blocking(Flows.undo_version)
    regenerate = Blocking(Flows.regenerate)
    conversation = Blocking(Flows.conversation)
    conversations = Iterating(Flows.conversations)
    messages = Iterating(Flows.messages)
    follow_conversation = Iterating(Flows.follow_conversation)
    delete_conversation = Blocking(Flows.delete_conversation)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._service.close()
        self._foreign.close()

    def drive(self, flow: Flow[T]) -> T:
        """Do every step of a flow; returns what it returns."""
        driven = self._driven(flow)
        while True:
            try:
                next(driven)
            except StopIteration as end:
                result: T = end.value
                return result

    def iterate(self, emitting: Emitting[T]) -> Iterator[T]:
        """Do the steps of a flow as its values are asked for."""
        with closing(self._driven(emitting.flow)) as driven:
            yield from driven

    def _driven(self, flow: Flow[T]) -> Generator[Any, None, T]:
        answer: Any = None
        error: BaseException | None = None
        with _Body() as body:
            while True:
                try:
                    step = flow.send(answer) if error is None else flow.throw(error)
                except StopIteration as end:
                    result: T = end.value
                    return result
                answer = error = None
                try:
                    if isinstance(step, Emit):
                        yield step.value
                    else:
                        answer = self._done(step, body)
                except BaseException as caught:  # whatever it is, the flow decides
                    error = caught

    def _done(self, step: Step, body: _Body) -> Any:
        match step:
            case Send(request):
                response = self._sent(request)
                with transport.translated(request.url), closing(response):
                    return transport.answer(response, response.read())
            case Open(request, chunk):
                return body.open(self._sent(request), request.url, chunk)
            case Read():
                return body.read()
            case Close():
                body.close()
            case Pause(seconds):
                time.sleep(seconds)
            case Work(act):
                return act()
            case Tell(listener, value):
                listener(value)
        return None

    def _sent(self, request: Request) -> httpx.Response:
        client, found = self._foreign if request.foreign else self._service, transport.arguments(request)
        with ExitStack() as opened, transport.translated(request.url):
            if request.song is not None:
                file = opened.enter_context(request.song.path.open("rb"))
                found |= {"content": file} if request.fields is None else {"files": {"file": (request.song.name, file)}}
            return client.send(client.build_request(**found), stream=True)


class _Body:
    """The body that a flow has opened."""

    def __init__(self) -> None:
        self._response: httpx.Response | None = None
        self._parts: Iterator[bytes] = iter(())
        self._url = ""

    def __enter__(self) -> _Body:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self, response: httpx.Response, url: str, chunk: int | None) -> Answer:
        self._response, self._parts, self._url = response, response.iter_bytes(chunk), url
        with transport.translated(url):
            return transport.answer(response, response.read() if response.is_error else b"")

    def read(self) -> bytes | None:
        with transport.translated(self._url):
            return next(self._parts, None)

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
        self._response = None
