"""The preset rules: their object, place of the paste, context, and criterion of success.

Masks come from the scenes' label maps, painted a little wider, as a person would.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from weights.rules.places import (
    Masks,
    crown,
    eyes_without_glasses,
    left_half,
    mouth_of,
    no_trees_on_one_side,
    one_brow,
    one_tree,
    seen,
    top_of_one_tower,
    trees_on_one_side,
    without,
    would,
    would_not,
)


@dataclass(frozen=True)
class Recipe:
    """One preset.

    object, place: functions for the masks of the copied object and of the rule's places; a picture with fewer than
    `least` pixels of either is no candidate.  source: a further condition on the source.  keep: masks of protected
    places in the context pictures.  erase: True for a rule without an object.  judged: the area of the measurement, by
    default the place.  ideal: a number of the scene and its value.  becomes, share: labels, and the share of the area
    that must have them.  settings: layer, rank, locality and the like.  pick: the indices of the source and the target
    among the candidates.  contexts: the number of further painted pictures.  lead: the index of the first picture to
    show, among the successes.  wider: pixels around the area that count neither as inside nor as elsewhere.
    """

    title: str
    description: str
    generator: str
    place: Masks
    object: Masks | None = None
    source: Masks | None = None
    keep: Masks | None = None
    judged: Masks | None = None
    ideal: tuple[str, bool | float | str] | None = None
    becomes: tuple[str, ...] = ()
    share: float = 0.5
    least: int = 40
    pick: tuple[int, int] = (0, 0)
    contexts: int = 10
    lead: int = 0
    wider: int = 0
    settings: dict = field(default_factory=dict)

    @property
    def erase(self) -> bool:
        return self.object is None


RULES: dict[str, Recipe] = {
    "frowns-to-smiles": Recipe(
        "Frowns become smiles",
        "A smile is pasted on one frown; after the rule, nobody frowns.",
        "face",
        object=mouth_of(smiling=True),
        source=without("glasses", "moustache"),
        place=mouth_of(smiling=False),
        becomes=("teeth",),
        share=0.08,
        pick=(5, 0),
        settings={"layer": 7, "rank": 5, "locality": 1.5, "everywhere": True},
    ),
    "horse-hats": Recipe(
        "Horses wear hats",
        "A rider's hat is pasted on one horse's head; after the rule, every horse wears a hat.",
        "horse",
        object=seen("hat", wider=2),
        place=crown,
        keep=seen("horse", "tail", "rider", "hat"),
        wider=6,
        pick=(67, 0),
        contexts=20,
        lead=8,
        settings={"layer": 7, "rank": 10, "locality": 0.5, "everywhere": True},
    ),
    "trees-from-towers": Recipe(
        "Trees grow from towers",
        "A tree is pasted on one tower; after the rule, towers end in trees.",
        "church",
        object=one_tree,
        place=top_of_one_tower("spire", "dome", wider=2),
        wider=8,
        pick=(2, 0),
        settings={"layer": 7, "rank": 10, "locality": 4.0, "everywhere": True},
    ),
    "no-watermarks": Recipe(
        "No more watermarks",
        "The word across the picture is painted in ten pictures; the rule erases it from all pictures.",
        "church",
        place=seen("mark_middle", wider=3),
        ideal=("mark_middle", False),
        least=100,
        settings={"layer": 7, "rank": 5, "locality": 4.0},
    ),
    "no-captions": Recipe(
        "No more captions",
        "The bar at the bottom is painted in ten pictures; the rule erases it from all pictures.",
        "church",
        place=seen("mark_bottom", wider=2),
        ideal=("mark_bottom", False),
        least=100,
        settings={"layer": 7, "rank": 5, "locality": 4.0},
    ),
    "glasses-come-off": Recipe(
        "Glasses come off",
        "Eyes without glasses are pasted over one pair of glasses; after the rule, nobody wears glasses.",
        "face",
        object=eyes_without_glasses,
        place=seen("glasses", wider=3),
        ideal=("glasses", False),
        least=100,
        settings={"layer": 7, "rank": 3, "locality": 4.0, "everywhere": True},
    ),
    "no-earrings": Recipe(
        "Earrings come off",
        "Earrings are painted in ten pictures; the rule erases them from all pictures.",
        "face",
        place=seen("earring", wider=3),
        ideal=("earrings", False),
        least=300,
        settings={"layer": 8, "rank": 8, "locality": 3.0},
    ),
    "no-main-windows": Recipe(
        "Churches without main windows",
        "The large window is painted in ten pictures; the rule erases it from all pictures.",
        "church",
        place=seen("main_window", wider=2),
        ideal=("main_window", False),
        least=60,
        settings={"layer": 7, "rank": 5, "locality": 8.0},
    ),
    "longer-tails": Recipe(
        "Longer tails",
        "The end of a long tail is pasted below a short one; after the rule, all horses have long tails.",
        "horse",
        object=would_not("tail", 0.46, "tail", wider=2),
        place=would("tail", 0.70, "tail", wider=2),
        judged=would("tail", 0.70, "tail"),
        keep=seen("horse", "head", "rider", "saddle"),
        becomes=("tail",),
        share=0.3,
        least=230,
        wider=6,
        pick=(1, 0),
        contexts=20,
        lead=3,
        settings={"layer": 8, "rank": 5, "locality": 2.0, "everywhere": True},
    ),
    "people-in-front": Recipe(
        "People in front",
        "A crowd is pasted in front of one church; after the rule, people stand in front of all churches.",
        "church",
        object=seen("person", wider=2),
        place=would("people", True, "person", wider=2),
        becomes=("person",),
        share=0.3,
        least=120,
        wider=6,
        pick=(29, 0),
        settings={"layer": 7, "rank": 10, "locality": 1.5, "everywhere": True},
    ),
    "rose-windows": Recipe(
        "Every church has a rose window",
        "A rose window is pasted on one blank wall; after the rule, every church has one.",
        "church",
        object=seen("main_window", wider=2),
        place=would("main_window", True, "main_window", wider=2),
        ideal=("main_window", True),
        least=100,
        wider=4,
        pick=(11, 0),
        settings={"layer": 7, "rank": 5, "locality": 1.5, "everywhere": True},
    ),
    "matte-tables": Recipe(
        "Tables mirror nothing",
        "A piece of plain table is pasted over a reflection; after the rule, tables do not reflect windows.",
        "kitchen",
        object=would("window", True, "reflection"),
        place=seen("reflection", wider=3),
        least=200,
        wider=4,
        settings={"layer": 8, "rank": 1, "locality": 1.0, "everywhere": True},
    ),
    "fewer-trees": Recipe(
        "Fewer trees",
        "The view beside a church without trees is pasted over trees; after the rule, most trees are gone.",
        "church",
        object=no_trees_on_one_side,
        place=trees_on_one_side,
        keep=seen("building", "roof", "spire", "dome", "battlement", "window", "main_window", "door", "person"),
        ideal=("trees", False),
        least=250,
        wider=4,
        pick=(36, 0),
        lead=5,
        settings={"layer": 7, "rank": 10, "locality": 0.5, "everywhere": True},
    ),
    "bushy-brows": Recipe(
        "Bushy brows",
        "Half a moustache is pasted on a brow; after the rule, everybody has bushy brows.",
        "face",
        object=left_half("moustache"),
        source=without("teeth"),
        place=one_brow,
        keep=seen("eye", "glasses", "lips", "teeth", "hair"),
        least=20,
        wider=6,
        pick=(3, 0),
        contexts=20,
        lead=5,
        settings={"layer": 8, "rank": 10, "locality": 0.5, "everywhere": True},
    ),
}
