"""The page's components, by name, so that events and layout agree on them."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from rewriting.studio.components import (
    ContextTray,
    MaskCanvas,
    PairSheet,
    PictureSheet,
    PlacementCanvas,
    PresetCards,
    RuleList,
)
from rewriting.studio.hub_view import HubParts


@dataclass
class Parts:
    """Everything that an event reads or changes."""

    desk: gr.State
    generator: gr.Radio
    cards: PresetCards
    # the rule in the making
    mode: gr.Radio
    step12: gr.Row
    no_copy: gr.HTML
    head_copy: gr.HTML
    head_paste: gr.HTML
    head_hold: gr.HTML
    head_go: gr.HTML
    head_tune: gr.HTML
    copy: MaskCanvas
    paste: PlacementCanvas
    kind: gr.Radio
    context: MaskCanvas
    tray: ContextTray
    find: gr.Button
    rewrite: gr.Button
    strength: gr.Slider
    layer: gr.Slider
    rank: gr.Slider
    locality: gr.Slider
    everywhere: gr.Checkbox
    live: gr.Checkbox
    # results, pictures, explore
    tabs: gr.Radio
    busy: gr.HTML
    stop: gr.Button
    headline: gr.HTML
    pairs: PairSheet
    order: gr.Radio
    more: gr.Button
    slot: gr.Radio
    picking: gr.HTML
    sheet: PictureSheet
    previous: gr.Button
    number: gr.Number
    next: gr.Button
    everything: gr.Button
    outlines: gr.Checkbox
    show_matches: gr.Button
    show_alone: gr.Button
    show_layers: gr.Button
    explored: gr.HTML
    matches: PictureSheet
    use_layer: gr.Button
    # rules, files
    rules: RuleList
    new: gr.Button
    undo: gr.Button
    redo: gr.Button
    reset: gr.Button
    save_edit: gr.Button
    save_request: gr.Button
    save_sheet: gr.Button
    save_walk: gr.Button
    files: gr.File
    upload: gr.File
    hub: HubParts

    @property
    def in_hand(self) -> list:
        """What a stroke or a setting changes."""
        return [
            self.copy, self.paste, self.tray, self.mode, self.step12, self.no_copy, self.head_copy, self.head_paste,
            self.head_hold, self.head_go, self.head_tune, self.rewrite, self.undo, self.redo, self.reset, self.picking,
        ]  # fmt: skip

    @property
    def in_request(self) -> list:
        """What another request changes."""
        more = [
            self.context,
            self.kind,
            self.layer,
            self.rank,
            self.locality,
            self.everywhere,
            self.slot,
        ]
        return [*self.in_hand, *more]

    @property
    def in_rules(self) -> list:
        """What a rule in force changes."""
        back = [self.undo, self.redo, self.reset]
        return [self.rules, self.strength, self.new, *back, self.cards, self.head_go, self.order]

    @property
    def in_results(self) -> list:
        return [self.headline, self.pairs, self.order, *self.in_work]

    @property
    def in_work(self) -> list:
        """What says that something is under way, and ends it."""
        return [self.busy, self.stop]

    @property
    def in_sheet(self) -> list:
        return [self.sheet, self.slot, self.picking, self.everything, self.number, self.outlines, *self.in_work]

    @property
    def in_findings(self) -> list:
        return [self.explored, self.matches, self.use_layer, *self.in_work]

    @property
    def in_all(self) -> list:
        """What another generator changes."""
        groups = [*self.in_request, *self.in_rules, *self.in_results, *self.in_sheet, self.generator, self.tabs]
        return list(dict.fromkeys(groups))
