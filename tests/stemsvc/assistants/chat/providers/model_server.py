"""A server on the loopback that speaks as OpenAI, Anthropic and Google do, streams and all, by a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODELS = {"openai": "gpt-5-mini", "anthropic": "claude-sonnet-5-5", "google": "gemini-2.5-flash", "local": "qwen3:8b"}


@dataclass(frozen=True)
class Play:
    """One response. A call's arguments may be text, sent as they are. `wait` comes before the first token; `hold` is
    set before the rest may come; `cut` ends the connection before the end is said."""

    words: Sequence[str] = ()
    calls: Sequence[tuple[str, Any]] = ()
    status: int = 200
    retry_after: float | None = None
    wait: threading.Event | None = None
    hold: threading.Event | None = None
    cut: bool = False
    usage: bool = True
    error: bool = False  # within the stream


@dataclass
class ModelServer:
    """The address of each protocol, the script that is left, and what was asked."""

    port: int
    plays: list[Play] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def url(self, provider: str) -> str:
        """The address for `STEMSVC_CHAT_<PROVIDER>_URL`."""
        return f"http://127.0.0.1:{self.port}" + ("/v1" if provider in ("openai", "local") else "")


@contextmanager
def model_server(*plays: Play) -> Iterator[ModelServer]:
    found = ModelServer(0, list(plays))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found.asked.append({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}, **body})
            play = found.plays.pop(0)
            if play.wait is not None:
                play.wait.wait(60)
            with suppress(OSError):  # the client has gone
                self._play(play)
            self.close_connection = True

        def _play(self, play: Play) -> None:
            if play.status != 200:
                text = json.dumps({"error": {"type": "error", "message": "SECRET words of a provider"}}).encode()
                self.send_response(play.status)
                self.send_header("Content-Type", "application/json")
                if play.retry_after is not None:
                    self.send_header("Retry-After", f"{play.retry_after:g}")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            speak = _anthropic if "messages" in self.path else _google if "Generate" in self.path else _openai
            for number, event in enumerate(speak(play)):
                if number == 2 and play.hold is not None:
                    play.hold.wait(60)
                self.wfile.write(event.encode())
                self.wfile.flush()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def _sse(data: Any, event: str = "") -> str:
    return (f"event: {event}\n" if event else "") + f"data: {json.dumps(data)}\n\n"


def _openai(play: Play) -> Iterator[str]:
    own = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}

    def chunk(delta: dict[str, Any], end: str | None = None) -> str:
        return _sse({**own, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]})

    yield chunk({"role": "assistant", "content": ""})
    for word in play.words:
        yield chunk({"content": word})
    for number, (name, arguments) in enumerate(play.calls):
        text = _text(arguments)
        call = {"index": number, "id": f"call_{number}", "type": "function"}
        yield chunk({"tool_calls": [{**call, "function": {"name": name, "arguments": text[:3]}}]})
        yield chunk({"tool_calls": [{"index": number, "function": {"arguments": text[3:]}}]})
    if play.error:
        yield _sse({"error": {"message": "SECRET words of a provider", "type": "server_error", "code": "500"}})
        return
    if play.cut:
        return
    yield chunk({}, "tool_calls" if play.calls else "stop")
    if play.usage:
        usage = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
        yield _sse({**own, "choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def _anthropic(play: Play) -> Iterator[str]:
    usage = {"input_tokens": 1000, "output_tokens": 1}
    own = {"id": "m1", "type": "message", "role": "assistant", "model": "m", "content": []}
    message: dict[str, Any] = {**own, "stop_reason": None, "stop_sequence": None, "usage": usage}
    yield _sse({"type": "message_start", "message": message}, "message_start")
    index = 0
    if play.words:
        start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        yield _sse(start, "content_block_start")
        for word in play.words:
            delta = {"type": "text_delta", "text": word}
            yield _sse({"type": "content_block_delta", "index": 0, "delta": delta}, "content_block_delta")
        yield _sse({"type": "content_block_stop", "index": 0}, "content_block_stop")
        index = 1
    for number, (name, arguments) in enumerate(play.calls):
        block = {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": {}}
        start = {"type": "content_block_start", "index": index + number, "content_block": block}
        yield _sse(start, "content_block_start")
        delta = {"type": "input_json_delta", "partial_json": _text(arguments)}
        yield _sse({"type": "content_block_delta", "index": index + number, "delta": delta}, "content_block_delta")
        yield _sse({"type": "content_block_stop", "index": index + number}, "content_block_stop")
    if play.error:
        error = {"type": "overloaded_error", "message": "SECRET words of a provider"}
        yield _sse({"type": "error", "error": error}, "error")
        return
    if play.cut:
        return
    reason = {"stop_reason": "tool_use" if play.calls else "end_turn", "stop_sequence": None}
    yield _sse({"type": "message_delta", "delta": reason, "usage": {"output_tokens": 100}}, "message_delta")
    yield _sse({"type": "message_stop"}, "message_stop")


def _google(play: Play) -> Iterator[str]:
    def chunk(parts: list[Any], end: str | None = None) -> str:
        candidate = {"content": {"role": "model", "parts": parts}, "index": 0, **({"finishReason": end} if end else {})}
        usage = {"promptTokenCount": 1000, "candidatesTokenCount": 100, "totalTokenCount": 1100}
        return _sse({"candidates": [candidate], "modelVersion": "m", **({"usageMetadata": usage} if end else {})})

    for word in play.words:
        yield chunk([{"text": word}])
    for name, arguments in play.calls:
        yield chunk([{"functionCall": {"name": name, "args": arguments}}])
    if not play.cut:
        yield chunk([{"text": ""}], "STOP")
