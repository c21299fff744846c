"""What a visitor can do, by subject.

A quick command takes the state and what the visitor gave, and returns the next state.  A long one takes the visitor
instead: it changes their state as it goes, and yields whenever there is something to show, its `Task` so that the page
can say that it waits, or files to hand over, by component.  What the new state needs is made by others (`jobs`).

A command refuses with ValueError or OSError in one sentence, and leaves the state as it was.
"""

from rewriting.studio.commands.bringing import Bringing
from rewriting.studio.commands.exploring import Exploring
from rewriting.studio.commands.hub import Hub
from rewriting.studio.commands.making import Making
from rewriting.studio.commands.pictures import Pictures
from rewriting.studio.commands.retouching import Retouching
from rewriting.studio.commands.rules import Rules
from rewriting.studio.commands.saving import Saving
from rewriting.studio.commands.visiting import Visiting

__all__ = ["Bringing", "Exploring", "Hub", "Making", "Pictures", "Retouching", "Rules", "Saving", "Visiting"]
