"""The page's components, by name, so that handlers and layout agree on them."""

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


@dataclass
class Parts:
    """Everything that an event reads or changes."""

    session: gr.State
    view: gr.State
    shown: gr.State
    generator: gr.Radio
    cards: PresetCards
    copy: MaskCanvas
    paste: PlacementCanvas
    step1: gr.Row
    erase: gr.Checkbox
    everywhere: gr.Checkbox
    kind: gr.Radio
    context: MaskCanvas
    tray: ContextTray
    find: gr.Button
    rewrite: gr.Button
    missing: gr.HTML
    strength: gr.Slider
    layer: gr.Slider
    rank: gr.Slider
    locality: gr.Slider
    live: gr.Checkbox
    tabs: gr.Tabs
    headline: gr.HTML
    order: gr.Radio
    more: gr.Button
    pairs: PairSheet
    slot: gr.Radio
    sheet: PictureSheet
    previous: gr.Button
    next: gr.Button
    number: gr.Number
    matches: PictureSheet
    explored: gr.HTML
    show_matches: gr.Button
    show_alone: gr.Button
    show_layers: gr.Button
    stop: gr.Button
    rules: RuleList
    undo: gr.Button
    redo: gr.Button
    new: gr.Button
    reset: gr.Button
    save_request: gr.Button
    save_edit: gr.Button
    save_sheet: gr.Button
    save_walk: gr.Button
    files: gr.File
    upload: gr.File

    def all(self) -> list:
        return list(vars(self).values())
