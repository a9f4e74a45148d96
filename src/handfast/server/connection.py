"""One HTTP connection: uvicorn's protocol with the peer in the ASGI scope, a bounded head, and a clock on the head.

The one place that depends on uvicorn's inside (its HttpToolsProtocol), which brings none of these.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from handfast.server.corked import Corked
from handfast.server.limits import Limits
from handfast.server.log import Log
from handfast.server.peers import SCOPE_KEY, Visitor
from handfast.server.problems import problem
from handfast.server.ready import Quick, Ready


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all connections of a listener have in common.

    visitor_of: from the address and the ssl object. ready: answers that need no handler.
    """

    config: Config
    state: ServerState
    limits: Limits
    log: Log
    visitor_of: Callable[[str, Any], Visitor]
    ready: Ready


class Connection(HttpToolsProtocol):
    """A connection. Subclassed because uvicorn has no other way in; nothing else of it is used or changed."""

    def __init__(self, terms: Terms, loop: asyncio.AbstractEventLoop, gone: Callable[[], None]) -> None:
        """Before anything has come. gone: called when it has ended."""
        super().__init__(config=terms.config, server_state=terms.state, app_state={}, _loop=loop)
        self.terms = terms
        self.is_up = False
        self.idle_since = 0.0
        self._gone = gone
        # How much came since the parser made anything of it that is kept or answered.
        self._unheard = 0
        self._in_head = False
        # Nothing more is read; the end comes with the answers that are due.
        self._ends = False
        self._is_stopping = False
        self._refusal = 400
        self._deadline: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._quick: Quick | None = None
        self._asked = b""
        # What the request that is being parsed was answered with, of those that came in one piece.
        self._parsed: tuple[Quick, bytes] | None = None
        self._may_be_quick = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """The handshake is over: who is it?"""
        self.is_up = True
        self.idle_since = self.loop.time()
        super().connection_made(transport)
        secured = transport.get_extra_info("ssl_object")
        stall = self.terms.limits.stall.total_seconds() if secured is None else None
        self._corked = Corked(transport, self.loop, stall=stall)
        self.transport = self._corked  # type: ignore[assignment]  # it stands in for a transport
        self.visitor = self.terms.visitor_of(self.client[0] if self.client else "", secured)
        # Not for whoever has a certificate: it is to be looked up.
        self._may_be_quick = bool(self.terms.ready.routes) and not self.visitor.peer.chain
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self._unwatch()
        self._unstall()
        super().connection_lost(exc)
        self._gone()

    def data_received(self, data: bytes) -> None:
        """Bytes: parse them, and see that a head does not take too long, nor what is no part of a body too much."""
        if self._ends:
            return
        ready, starts_anew = self.terms.ready, self._may_be_quick and self.is_idle()
        if starts_anew:
            answer = ready.answer_unparsed(data, self.server_state.default_headers)
            if answer is not None:
                self._answered(answer)
                return
            self._parsed = None
        self._unheard += len(data)
        super().data_received(data)
        if self._unheard > self.terms.limits.largest_head:
            # A head, the lines after a chunked body, or empty ones between two requests.
            self._refusal = 431
            self.send_400_response("")
        if starts_anew and self._parsed is not None and self.is_idle() and not self.transport.is_closing():
            ready.parsed(self._parsed[0], data, self._parsed[1])
        if self._deadline is None and (self._in_head or self._quick is not None or self._is_waiting()):
            self._watch()

    def on_message_begin(self) -> None:
        """The first byte of a head."""
        super().on_message_begin()
        self._in_head, self._unheard = True, 0
        scope = cast("dict[str, Any]", self.scope)
        scope[SCOPE_KEY] = self.visitor
        if self.visitor.extension:
            scope["extensions"] = {"tls": self.visitor.extension}

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header. One that comes after the body is let go: what it says was not there when the head was judged."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The end of a head. Raises, and so ends the parsing, for one that is too large."""
        self._in_head, self._unheard = False, 0
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        limits = self.terms.limits
        if size > limits.largest_head or len(self.headers) > limits.most_headers:
            self._refusal = 431
            raise httptools.HttpParserError
        self._quick, self._asked = self._quick_route(), b""
        if self._quick is None:
            self._unwatch()
            super().on_headers_complete()
            if self._is_stopping:
                self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of a body. What is too large for a quick answer goes the long way, which refuses it."""
        self._unheard = 0
        if self._quick is None:
            super().on_body(body)
            return
        self._asked += body
        if len(self._asked) > self._quick.largest_body:
            self._the_long_way()

    def on_message_complete(self) -> None:
        """The end of a request: answered here when an answer lies ready."""
        self._unheard = 0
        quick, always = self._quick, self.server_state.default_headers
        if quick is not None:
            asked = self._asked if quick.method == b"POST" else self.url[len(quick.start) :]
            answer = self.terms.ready.answer(quick, asked, always)
            if answer is not None:
                self._quick, self._parsed = None, (quick, asked)
                self._answered(answer)
                if not self.parser.should_keep_alive():
                    self.transport.close()
                return
            self._the_long_way()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The end of an answer."""
        self.idle_since = self.loop.time()
        is_last = not self.pipeline
        super().on_response_complete()
        if self.pipeline:
            # As many as came at once wait, and no more.
            self.flow.pause_reading()
        if self._ends and is_last:
            self.transport.close()

    def eof_received(self) -> bool:  # type: ignore[override]  # as in asyncio
        """The client sends no more. It still gets its answer, where TLS has not ended with it."""
        if self.scheme == "https" or not self._is_answering():
            return False
        self._ends = True
        return True

    def pause_writing(self) -> None:
        """The client does not take what it is sent: it may not ask for more meanwhile, nor wait for ever."""
        super().pause_writing()
        self.flow.pause_reading()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.terms.limits.stall.total_seconds(), self._not_taken)

    def resume_writing(self) -> None:
        """It took most of it."""
        self._unstall()
        super().resume_writing()
        if not self.pipeline:
            self.flow.resume_reading()

    def _quick_route(self) -> Quick | None:
        """Only between two requests, and in HTTP/1.1."""
        if not self._may_be_quick or not self.is_idle() or self._is_stopping:
            return None
        if self.parser.get_http_version() != "1.1" or self.expect_100_continue:
            return None
        return self.terms.ready.route(self.parser.get_method(), self.url)

    def _answered(self, answer: bytes) -> None:
        if self._deadline is not None:
            self._unwatch()
        self._corked.write_whole(answer)
        self.idle_since = self.loop.time()
        self.server_state.total_requests += 1
        # One clock for many answers: when it is over, it begins again for what is left of the last one.
        if self.timeout_keep_alive_task is None:
            self._idle_for(self.timeout_keep_alive)

    def _idle_for(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _the_long_way(self) -> None:
        """As if nothing had been tried: the head, and the body so far."""
        self._quick = None
        self._unwatch()
        super().on_headers_complete()
        if self._asked:
            super().on_body(self._asked)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and end. The words are ours: a parser's may hold what the client sent.

        While requests before it are being answered, only they are: this would be taken for the answer to one of them.
        """
        if self.transport.is_closing() or self._ends:
            return
        status, self._in_head = self._refusal, False
        self._unwatch()
        if self._is_answering():
            self._ends = True
            self.terms.log("request.refused", status=status, peer=self.visitor.peer.address)
            return
        words = {400: "this is no HTTP request", 408: "the head of the request did not come in time"}
        answer = problem(status, words.get(status, "the head of the request is too large"))
        self.terms.log("request.refused", status=status, peer=self.visitor.peer.address)
        lines = {"content-type": answer.media_type, "content-length": str(len(answer.body)), "connection": "close"}
        self.transport.write(STATUS_LINE[status] + _lines(lines) + answer.body)
        self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came for as long as a connection may idle. What it did not take by now it does not get."""
        left = self.idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._idle_for(left)
        elif self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """The service stops: what somebody has begun to ask is still answered, and then it ends."""
        self._is_stopping = True
        if self._quick is not None:
            self._the_long_way()
        if not self._in_head:
            super().shutdown()

    def is_asking(self) -> bool:
        """True while a head comes in."""
        return self._in_head

    def is_idle(self) -> bool:
        """True between two requests."""
        return not self._in_head and self._quick is None and (self.cycle is None or self.cycle.response_complete)

    def _is_answering(self) -> bool:
        """True from the end of a request, or the beginning of its answer, to the end of that."""
        if self.pipeline:
            return True
        cycle = self.cycle
        return cycle is not None and not cycle.response_complete and (cycle.response_started or not cycle.more_body)

    def _is_waiting(self) -> bool:
        return self.timeout_keep_alive_task is None and self.is_idle()

    def _watch(self) -> None:
        self._deadline = self.loop.call_later(self.terms.limits.head.total_seconds(), self._too_slow)

    def _unwatch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _unstall(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _not_taken(self) -> None:
        self._stalled = None
        self.terms.log("answer.not-taken", peer=self.visitor.peer.address)
        self.transport.abort()

    def _too_slow(self) -> None:
        self._deadline = None
        if self._in_head:
            self._refusal = 408
            self.send_400_response("")
        else:
            self.transport.abort()


def _lines(headers: Mapping[str, str]) -> bytes:
    return "".join([*(f"{name}: {value}\r\n" for name, value in headers.items()), "\r\n"]).encode("latin-1")
