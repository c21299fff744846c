"""The studio's own components: canvases, sheets, cards and lists. `base` says how their values travel."""

from rewriting.studio.components.canvas import MaskCanvas, PlacementCanvas
from rewriting.studio.components.cards import ContextTray, PresetCards, RuleList
from rewriting.studio.components.own_picture_tray import OwnPictureTray
from rewriting.studio.components.repo_cards import RepoCards
from rewriting.studio.components.retouch_canvas import RetouchCanvas
from rewriting.studio.components.sheet import PairSheet, PictureSheet

__all__ = [
    "ContextTray",
    "MaskCanvas",
    "OwnPictureTray",
    "PairSheet",
    "PictureSheet",
    "PlacementCanvas",
    "PresetCards",
    "RepoCards",
    "RetouchCanvas",
    "RuleList",
]
