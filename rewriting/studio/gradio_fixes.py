"""Corrections of gradio: no answer is lost, and no old answer replaces a newer one.

A number such as gradio#7102 is an issue or a pull request of gradio-app/gradio; other faults have no known issue.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.blocks import Block, BlockFunction
from gradio.exceptions import Error
from gradio.state_holder import SessionState
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from rewriting.studio.programs.endpoints import HANDLERS, check_count
from rewriting.studio.visitor import Page, Visitor

# If a visitor presses a button just before the stream of answers closes, the stream may lack its answer; any further
# request fetches it.  The browser closes the stream, by its signal, when the server tells it to.
FETCH = """<script>{
  const plain = window.fetch;
  let asked = false; // since the last stream was opened
  window.fetch = async (address, options) => {
    const { pathname } = new URL(address.url ?? address, location.href);
    if (pathname.endsWith("/queue/data")) {
      asked = false;
      const closed = () => asked && document.querySelector("#fetch")?.click();
      (address.signal ?? options?.signal)?.addEventListener("abort", closed);
    }
    const answer = await plain(address, options);
    if (pathname.endsWith("/queue/join")) asked = true;
    return answer;
  };
}</script>"""
# An answer that arrives late has a lower number than the one on the page.
OVERTAKEN = """(number) => {
  const shown = (window.rewritingShown ??= { number: 0, oldest: Infinity });
  if (number < shown.number) {
    shown.oldest = Math.min(shown.oldest, number);
    document.querySelector("#again").click();
  }
  shown.number = number;
}"""
OLDEST = """() => {
  const { oldest } = window.rewritingShown;
  window.rewritingShown.oldest = Infinity;
  return [oldest, oldest, null];
}"""
NO_MORE = b'data: {"msg": "close_stream", "event_id": null}\n\n'


@dataclass(frozen=True)
class Answer:
    """An event's answer: a page, of which only the differences from the visitor's browser are sent.

    change: the number of the state's changes in the page.  parts: components by name.  seen: the component with the
    number of the last sent answer.  more: further values by component, such as files.
    """

    visitor: Visitor
    page: Page
    change: int
    parts: dict[str, Block]
    seen: Block
    more: dict[str, Any]

    def updates(self) -> dict[Block, Any]:
        """The updates to send now; called in the sending thread, so that no other answer comes between."""
        news, number = self.visitor.news(self.page, self.change)
        updates = {self.parts[name]: gr.update(**properties) for name, properties in news.items()}
        if news:
            updates[self.seen] = gr.update(value=number)
        return updates | {self.parts[name]: value for name, value in self.more.items()}


class Blocks(gr.Blocks):
    """Blocks whose events may show different things in each part of an answer, and the same things as others.

    After its first part, gradio sends what differs from the part before (gradio#7102), and the browser mends the part
    before in place.  Of two parts that arrive together it shows the first only when that is mended already: what the
    second does not speak of is gone.  A part that takes something away is sent whole here, and mends nothing.

    at_close: called when the page is served no longer.
    """

    at_close: Callable[[], None] = staticmethod(lambda: None)

    def fetch_what_is_left(self) -> None:
        """Let the page fetch answers that it has missed (as in gradio#7921); call it within the blocks.

        gradio closes its stream of answers when all are sent.  A browser that still reads the stream regards it as
        open, and opens no new one for a request at that moment, so nothing would fetch its answer.
        """
        fetch = gr.Button("Fetch", visible="hidden", elem_id="fetch")
        fetch.click(
            lambda: None, None, None, api_visibility="private", show_progress="hidden", trigger_mode="multiple"
        )

    def leave(self, state: gr.State, left: Callable[[Visitor], None]) -> None:
        """Call `left` with the visitor in `state` when their page is closed; call this method within the blocks.

        For a closed page, gradio gives only the name of its session.
        """

        def closed(request: gr.Request) -> None:
            session = self.state_holder.session_data.get(request.session_hash)
            visitor = session.state_data.get(state._id) if session is not None else None
            if visitor is not None:
                left(visitor)

        self.unload(closed)

    def launch(self, *arguments: Any, **options: Any) -> Any:
        """Serve the page as gradio does, and answer wrong calls of the endpoints with a sentence."""
        kwargs = {"exception_handlers": HANDLERS, "middleware": [Middleware(EndingStreams, blocks=self)]}
        head = FETCH + (options.pop("head", None) or "")
        return super().launch(*arguments, **options, head=head, app_kwargs=kwargs)

    def close(self, verbose: bool = True) -> None:
        """Stop serving the page, and its work in the background."""
        super().close(verbose)
        self.at_close()

    def has_answers(self, session_hash: str) -> bool:
        """Whether a browser's tab has answers to come."""
        return bool(self._queue.pending_event_ids_session.get(session_hash))

    async def process_api(
        self,
        block_fn: BlockFunction,
        inputs: list,
        state: SessionState | None = None,
        *more: Any,
        session_hash: str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        try:
            return await super().process_api(block_fn, inputs, state, *more, session_hash=session_hash, **options)
        finally:
            ends = hasattr(block_fn.fn, "takes") or any(event == "unload" for _, event in block_fn.targets)
            if ends and state is not None and not state.state_data:
                for kept in (self.state_holder.session_data, self.state_holder.time_last_used):
                    kept.pop(session_hash, None)  # a program, with no state of its own, displaces no visitor

    async def preprocess_data(self, block_fn: BlockFunction, inputs: list, *more: Any, **options: Any) -> list:
        if not hasattr(block_fn.fn, "takes"):
            return await super().preprocess_data(block_fn, inputs, *more, **options)
        name = block_fn.fn.__name__
        try:
            check_count(block_fn.fn, inputs)
        except ValueError as error:
            raise Error(str(error), print_exception=False) from error
        try:
            return await super().preprocess_data(block_fn, inputs, *more, **options)
        except Exception as error:  # such as the path of a file that nobody uploaded
            what = f"The arguments of {name} cannot be read; send JSON, and files as data URLs or as uploads."
            raise Error(what, print_exception=False) from error

    async def postprocess_data(
        self, block_fn: BlockFunction, predictions: list | dict, state: SessionState | None
    ) -> list[Any]:
        if not isinstance(predictions, Answer) and predictions != gr.skip():
            return await super().postprocess_data(block_fn, predictions, state)
        # gradio#1472: it would make each component anew for every part of an answer, the unchanged ones too
        updates = predictions.updates() if isinstance(predictions, Answer) else {}
        named, sent = copy(block_fn), {}
        named.outputs = [block for block in block_fn.outputs if block in updates]
        if named.outputs:
            values = [updates[block] for block in named.outputs]
            made = await super().postprocess_data(named, values if len(values) > 1 else values[0], state)
            sent = dict(zip(named.outputs, made, strict=True))
        return [sent.get(block, gr.skip()) for block in block_fn.outputs]

    def handle_streaming_diffs(
        self,
        block_fn: BlockFunction,
        data: list,
        session_hash: str | None,
        run: str | None,
        final: bool,
        simple_format: bool = False,
    ) -> list:
        whole, streams = list(data), self.pending_diff_streams
        edited = run in streams.get(session_hash, ()) and not (final or simple_format)
        sent = super().handle_streaming_diffs(block_fn, data, session_hash, run, final, simple_format)
        return [_whole_if_less(*part) for part in zip(sent, whole, strict=True)] if edited else sent


class EndingStreams:
    """Ends a stream without answers at once; gradio would leave it open until the next answer.

    A browser opens such a stream if the answer to a request, on the previous stream, arrives before the confirmation
    of the request.
    """

    def __init__(self, app: ASGIApp, blocks: Blocks):
        self.app, self.blocks = app, blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith("/queue/data"):
            session_hash = Request(scope).query_params.get("session_hash", "")
            if not self.blocks.has_answers(session_hash):
                return await Response(NO_MORE, media_type="text/event-stream")(scope, receive, send)
        await self.app(scope, receive, send)


def _whole_if_less(edits: list, new: Any) -> list:
    """The edits, or the new value if they delete anything."""
    return [["replace", [], new]] if any(action == "delete" for action, *_ in edits) else edits
