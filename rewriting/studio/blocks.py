"""Gradio's blocks, with answers in parts of which none is lost on the way."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.blocks import BlockFunction


class Blocks(gr.Blocks):
    """Blocks whose events may show different things in each part of an answer.

    After its first part, gradio sends what differs from the part before, and the browser mends the part before in
    place.  Of two parts that arrive together it shows the first only when that is mended already: what the second
    does not speak of is gone.  A part that takes something away is sent whole here, and mends nothing.
    """

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


def _whole_if_less(edits: list, new: Any) -> list:
    """The edits, unless they take something away."""
    return [["replace", [], new]] if any(action == "delete" for action, *_ in edits) else edits
