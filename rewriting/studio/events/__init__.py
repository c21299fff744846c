"""What happens on the page: events in, updates out.

An event's function takes what its component sends and, last, the visitor's `Desk`; it changes the desk and returns
updates by component.  It touches no weight and no tensor: the workshop does the work.
"""

from rewriting.studio.events.exploring import Exploring
from rewriting.studio.events.hub import Hub
from rewriting.studio.events.making import Making
from rewriting.studio.events.pictures import Pictures
from rewriting.studio.events.returning import TICKET, Returning
from rewriting.studio.events.rules import Rules
from rewriting.studio.events.sharing import Sharing

__all__ = ["TICKET", "Exploring", "Hub", "Making", "Pictures", "Returning", "Rules", "Sharing"]
