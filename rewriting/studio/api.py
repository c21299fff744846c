"""Endpoints for programs: plain data in and out, nothing kept between calls.

The page's own events are endpoints too; they work on the caller's desk, as a visitor's do.
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from rewriting.core.edit import EditStack
from rewriting.core.presets import presets
from rewriting.core.request import Request
from rewriting.generators import bundled
from rewriting.studio.components.checks import seed
from rewriting.studio.desk import Desk
from rewriting.studio.events.base import polite
from rewriting.studio.names import public_name
from rewriting.studio.pictures import data_url
from rewriting.studio.session import Numbering
from rewriting.studio.workshop import Workshop

MOST = 24  # pictures in one answer


class Api:
    """What programs can ask of a workshop."""

    def __init__(self, workshop: Workshop):
        self.workshop = workshop

    def list_generators(self) -> list[dict]:
        """The generators that come with the software.

        Returns:
            A list of {"name", "resolution", "layers": [lowest, highest], "default_layer"}.
        """
        return [self._generator(name) for name in bundled()]

    def list_presets(self) -> list[dict]:
        """The rules that come with the software.

        Returns:
            A list of {"name", "title", "generator", "measured"}; measured is a sentence, or empty.
        """
        return [
            {"name": p.name, "title": p.title, "generator": p.generator, "measured": p.measured}
            for p in presets().values()
        ]

    def draw(self, generator: str, seeds: list[int], presets: list[str]) -> list[dict]:
        """Draw pictures of a bundled generator, with preset rules in force if there are any.

        Args:
            generator: its name, as list_generators has it.
            seeds: numbers of up to 24 pictures.
            presets: names of rules, as list_presets has them; an empty list for none.

        Returns:
            A list of {"seed", "before", "after"}, pictures as WebP data URLs; "after" is empty without rules.
        """
        seeds = self._check(generator, seeds)
        edits = [self.workshop.preset_edit(name) for name in presets]
        for edit in edits:
            edit.check_fits(self.workshop.generator(generator))
        return self._pairs(generator, seeds, EditStack(edits))

    def solve(self, request: dict, seeds: list[int]) -> dict:
        """Solve a request and draw pictures before and after.

        Args:
            request: as the studio saves it: parsed JSON of the format "rewriting-request".
            seeds: numbers of up to 24 pictures.

        Returns:
            {"layer", "rank", "report", "pictures"}: report has losses before and after, and milliseconds; pictures is
            a list of {"seed", "before", "after"}, as WebP data URLs.
        """
        asked = Request.from_json(json.loads(request) if isinstance(request, str) else request)
        seeds = self._check(asked.generator, seeds)
        asked.check()
        edit = self.workshop.rewriter(asked.generator, asked.layer).solve(asked)
        pictures = self._pairs(asked.generator, seeds, EditStack([edit]), Numbering(asked.seeding, asked.truncation))
        return {"layer": edit.layer, "rank": edit.rank, "report": vars(edit.report), "pictures": pictures}

    def desk(self, desk: Desk) -> dict:
        """What the caller has made on the page: the generator, the rules in force, and what the request still lacks.

        Returns:
            {"generator", "missing", "solved", "can_undo", "can_redo", "request", "rules": [{"id", "name", "layer",
            "rank", "strength", "on", "report"}]}; missing is empty if the request can be rewritten.
        """
        session = desk.session
        return {
            "generator": public_name(session.generator),
            "missing": session.request.missing(),
            "solved": session.solved,
            "can_undo": bool(session.past),
            "can_redo": bool(session.future),
            "request": session.request.to_json(),
            "rules": [
                {
                    "id": str(rule.number),
                    "name": rule.edit.name,
                    "layer": rule.edit.layer,
                    "rank": rule.edit.rank,
                    "strength": rule.edit.strength,
                    "on": rule.edit.enabled,
                    "report": vars(rule.edit.report) if rule.edit.report else None,
                }
                for rule in session.rules
            ],
        }

    def pictures(self, seeds: list[int], desk: Desk) -> list[dict]:
        """Pictures before and after the rules that the caller has in force on the page.

        Args:
            seeds: numbers of up to 24 pictures.

        Returns:
            A list of {"seed", "before", "after"}, pictures as WebP data URLs.
        """
        seeds, session = _checked(seeds), desk.session
        after = self.workshop.edited(session, seeds)
        urls = self.workshop.pictures(session.generator, seeds, session.numbering)
        return [{"seed": s, "before": b, "after": data_url(a)} for s, b, a in zip(seeds, urls, after, strict=True)]

    def _generator(self, name: str) -> dict:
        generator = self.workshop.generator(name)
        layers = generator.layers
        return {
            "name": name,
            "resolution": generator.config.resolution,
            "layers": [layers.start, layers.stop - 1],
            "default_layer": generator.config.default_layer,
        }

    def _check(self, generator: str, seeds: list[int]) -> list[int]:
        if generator not in bundled():
            raise ValueError(f"There is no generator {generator!r:.80}; there are {', '.join(bundled())}.")
        return _checked(seeds)

    def _pairs(
        self, generator: str, seeds: list[int], edits: EditStack, numbering: Numbering | None = None
    ) -> list[dict]:
        numbering = numbering or Numbering()
        befores = self.workshop.pictures(generator, seeds, numbering)
        afters = [""] * len(seeds)
        if len(edits):
            drawn = self.workshop.generator(generator).images(seeds, edits, **numbering._asdict())
            afters = [data_url(picture) for picture in drawn]
        return [{"seed": s, "before": b, "after": a} for s, b, a in zip(seeds, befores, afters, strict=True)]


def _checked(seeds: Any) -> list[int]:
    """The same as whole numbers."""
    if not isinstance(seeds, list) or not 1 <= len(seeds) <= MOST:
        raise ValueError(f"Give a list of 1 to {MOST} numbers of pictures.")
    return [seed(one, "The number of a picture") for one in seeds]


def hide_what_needs_memory(page: gr.Blocks) -> None:
    """Leave only endpoints that need no desk to be listed, and so to become MCP tools: each call of a tool begins with
    a fresh desk, so that what one has painted is gone when the next is to rewrite it."""
    for function in page.fns.values():
        if any(isinstance(one, gr.State) for one in function.inputs):
            function.api_visibility = "undocumented"


def offer(api: Api, desk: gr.State) -> None:
    """Register the endpoints on the page being built."""
    service = api.workshop.service
    for endpoint in (api.list_generators, api.list_presets, api.draw, api.solve):
        polite_one = polite(endpoint, service=service, heavy=True)
        gr.api(polite_one, api_name=endpoint.__name__, concurrency_id="generator")
    asked, answer = gr.JSON(visible=False), gr.JSON(visible=False)
    gr.Button(visible=False).click(api.desk, desk, answer, api_name="desk", show_progress="hidden")
    pictures = polite(api.pictures, service=service, heavy=True)
    gr.Button(visible=False).click(pictures, [asked, desk], answer, api_name="pictures", show_progress="hidden")
