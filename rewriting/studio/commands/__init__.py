"""The commands of a visitor, by subject.

A quick command takes the state and the visitor's input, and returns the next state.  A long command takes the visitor:
it changes their state as it runs, and yields whenever there is something to show: its `Task`, or files for download,
by component.  `jobs` makes the results that the new state needs.

A command that cannot run raises ValueError or OSError with one sentence, and leaves the state unchanged.
"""

from rewriting.studio.commands.bringing import Bringing
from rewriting.studio.commands.exploring import Exploring
from rewriting.studio.commands.hub import Hub
from rewriting.studio.commands.making import Making
from rewriting.studio.commands.pictures import Pictures
from rewriting.studio.commands.retouching import Retouching
from rewriting.studio.commands.rules import Rules
from rewriting.studio.commands.saving import Saving
from rewriting.studio.commands.selecting import Selecting
from rewriting.studio.commands.visiting import Visiting

__all__ = [
    "Bringing",
    "Exploring",
    "Hub",
    "Making",
    "Pictures",
    "Retouching",
    "Rules",
    "Saving",
    "Selecting",
    "Visiting",
]
