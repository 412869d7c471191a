"""What a conversation asks of the outside, done with the caller's own client: its key, its retries, its
routing. One class of each colour; what they share is above them.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import parse_qsl

import anyio
import openai

from streaming_assistants import _sdk
from streaming_assistants._protocol.sse import Frame, FrameDecoder
from streaming_assistants._sdk.untyped import AnyClient, Arguments, HttpResponse

from .._engine.effects import Work
from .._engine.port import DONE, Call, Json, Next, Open, UpstreamError
from .._http.paths import requested_path
from .._strict_json import from_upstream
from .characters import Characters
from .masking import Mask, mask_of
from .reasons import reason

logger = logging.getLogger("streaming_assistants")

ClientFor: TypeAlias = Callable[[Work], AnyClient]
"""Which client the upstream is asked through for work that nobody's request has begun."""

# What may come after a stream's last event: some bytes of framing, in a chunk or two.
_READ_OUT_CHUNKS = 4
_READ_OUT_SECONDS = 1.0


class _Events:
    """The JSON events of an open stream, from the bytes of its body, without the keys of ``mask``."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._decoder = FrameDecoder()
        self._characters = Characters()
        self._frames: deque[Frame] = deque()
        self.ended = False

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes of the body."""
        self._frames.extend(self._decoder.feed(chunk))

    def close(self) -> None:
        last = self._decoder.close()
        if last is not None:
            self._frames.append(last)
        self.ended = True

    def pop(self) -> Json:
        """The next event; None when more bytes are needed, or none will come."""
        while self._frames:
            data = self._mask.data(self._frames.popleft().data.strip())
            if data == DONE.encode():
                self.ended = True
                self._frames.clear()
                return DONE
            if data:
                try:
                    return self._characters.decode(data)
                except ValueError:
                    raise _no_json("an event", data, self._mask) from None
        return None


class _Asker:
    """``beside`` tells the client of work that begins beside this, for no caller in particular."""

    def __init__(self, client: AnyClient, beside: ClientFor | None = None) -> None:
        self.client = client
        self.beside: ClientFor = beside or (lambda work: client)
        self._events: _Events | None = None

    def _open_events(self) -> _Events:
        if self._events is None:
            raise RuntimeError("An upstream asked for the next event before it opened a stream.")
        return self._events

    def _trouble(self, error: Exception) -> UpstreamError:
        """The SDK's or the transport's exception as an UpstreamError, without the client's key."""
        status = code = param = None
        message = str(error) or type(error).__name__
        if isinstance(error, openai.APIError):
            message = error.message
        elif type(error).__module__.partition(".")[0] in ("httpx", "httpx2"):
            message = f"The connection to the upstream broke: {message}"
        if isinstance(error, openai.APIStatusError):
            status = error.status_code
            told = reason(error.response.content)
            message = told.get("message") or message
            code = told.get("code")
            param = told.get("param")
        elif error.__cause__ is not None and str(error.__cause__) not in message:
            message = f"{message} ({error.__cause__})"
        # Some servers quote the key that they refuse; what a run says of its failure is stored.
        message = mask_of(self.client, _sdk.request_of(error)).text(str(message))
        code, param = (each if isinstance(each, str) else None for each in (code, param))
        return UpstreamError(message, status, code, param)

    def _answer(self, call: Call, response: HttpResponse) -> Json:
        """What a plain request is sent: bytes, or JSON."""
        mask = mask_of(self.client, response.request)
        body = mask.data(response.content)
        if call.raw:
            return body
        try:
            return from_upstream(body)
        except ValueError:
            raise _no_json("an answer", body, mask) from None

    def _arguments(self, call: Call) -> Arguments:
        url, query = _sdk.inference_url(self.client, _checked(call.path))
        arguments: Arguments = {
            "path": url,
            "cast_to": _sdk.response_class(),
            "options": {"params": query},
        }
        if call.headers is not None:
            arguments["options"]["headers"] = call.headers
        if call.seconds is not None:
            arguments["options"].update(timeout=call.seconds, max_retries=0)
        if call.body is not None:
            arguments["body"] = call.body
        if call.files is not None:
            arguments["files"] = call.files
            arguments["options"]["headers"] = {"Content-Type": "multipart/form-data", **(call.headers or {})}
        return arguments

    def _stream_arguments(self, piece: Open) -> Arguments:
        path, _, told = _checked(piece.path).partition("?")
        url, query = _sdk.inference_url(self.client, path)
        headers = {} if piece.headers is None else {"headers": piece.headers}
        arguments: Arguments = {
            "path": url,
            "cast_to": object,
            "options": {"params": {**query, **dict(parse_qsl(told))}, **headers},
            "stream": True,
        }
        if piece.body is not None:
            arguments["body"] = piece.body
        return arguments


def _no_json(what: str, data: bytes, mask: Mask) -> UpstreamError:
    shown = mask.text(data.decode("utf-8", "replace"))[:80]
    return UpstreamError(f"The upstream sent {what} that is no JSON: {shown}")


def _checked(path: str) -> str:
    """A path with ids that a client has given. Raises UpstreamError where one of them leads elsewhere."""
    if requested_path(path.partition("?")[0].encode()) is None:
        raise UpstreamError(f"The upstream is not asked for {path}: an id in it is none.", 400)
    return path


class Asker(_Asker):
    """For a sync client."""

    _response: HttpResponse = None

    def ask(self, piece: Call | Open | Next) -> Json:
        """Does what is asked; raises :class:`UpstreamError` when that fails."""
        try:
            if isinstance(piece, Next):
                return self._next()
            if isinstance(piece, Open):
                return self._open(piece)
            return self._call(piece)
        except UpstreamError:
            raise
        except Exception as error:  # noqa: BLE001 - raised anew: its own text may quote the key
            raise self._trouble(error) from None

    def break_off(self) -> None:
        """Wakes a thread that waits for the open stream; called from another thread."""
        response = self._response
        if response is not None:
            _sdk.interrupt(response)

    def read_out(self) -> None:
        """Reads the end of a stream whose last event has come, so that its connection can serve again."""
        if self._response is not None:
            try:
                for _ in range(_READ_OUT_CHUNKS):
                    if next(self._chunks, None) is None:
                        break
            except Exception as error:  # noqa: BLE001 - all that was asked for has come
                logger.debug("the connection of an answer that is whole broke: %s", type(error).__name__)

    def close(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    def _call(self, call: Call) -> Json:
        method = getattr(self.client, call.method.lower())
        return self._answer(call, method(**self._arguments(call)))

    def _open(self, piece: Open) -> None:
        self.close()
        method = getattr(self.client, piece.method.lower())
        stream = method(**self._stream_arguments(piece), stream_cls=openai.Stream[object])
        self._response = stream.response
        self._chunks = iter(_sdk.chunks(stream.response, stream.response.iter_bytes))
        self._events = _Events(mask_of(self.client, stream.response.request))

    def _next(self) -> Json:
        events = self._open_events()
        while (event := events.pop()) is None and not events.ended:
            chunk = next(self._chunks, None)
            if chunk is None:
                events.close()
            else:
                events.feed(chunk)
        return event


class AsyncAsker(_Asker):
    """For an async client."""

    _response: HttpResponse = None

    async def ask(self, piece: Call | Open | Next) -> Json:
        """Does what is asked; raises :class:`UpstreamError` when that fails."""
        try:
            if isinstance(piece, Next):
                return await self._next()
            if isinstance(piece, Open):
                return await self._open(piece)
            return await self._call(piece)
        except UpstreamError:
            raise
        except Exception as error:  # noqa: BLE001 - raised anew: its own text may quote the key
            raise self._trouble(error) from None

    async def read_out(self) -> None:
        """Reads the end of a stream whose last event has come, so that its connection can serve again."""
        if self._response is not None:
            try:
                with anyio.move_on_after(_READ_OUT_SECONDS):
                    for _ in range(_READ_OUT_CHUNKS):
                        if await anext(self._chunks, None) is None:
                            break
            except Exception as error:  # noqa: BLE001 - all that was asked for has come
                logger.debug("the connection of an answer that is whole broke: %s", type(error).__name__)

    async def aclose(self) -> None:
        if self._response is not None:
            response, self._response = self._response, None
            await response.aclose()

    async def _call(self, call: Call) -> Json:
        method = getattr(self.client, call.method.lower())
        return self._answer(call, await method(**self._arguments(call)))

    async def _open(self, piece: Open) -> None:
        await self.aclose()
        method = getattr(self.client, piece.method.lower())
        stream = await method(**self._stream_arguments(piece), stream_cls=openai.AsyncStream[object])
        self._response = stream.response
        self._chunks = aiter(_sdk.chunks(stream.response, stream.response.aiter_bytes))
        self._events = _Events(mask_of(self.client, stream.response.request))

    async def _next(self) -> Json:
        events = self._open_events()
        while (event := events.pop()) is None and not events.ended:
            chunk = await anext(self._chunks, None)
            if chunk is None:
                events.close()
            else:
                events.feed(chunk)
        return event
