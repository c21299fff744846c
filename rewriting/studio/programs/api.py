"""The studio's endpoints for programs: plain data and files in and out, without state between calls.

Each call works on a session of its own, made from its arguments, with the same use cases as the page.  These methods
are the public HTTP endpoints and, with `python app.py --mcp`, tools; the module `endpoints` offers them.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from rewriting.checks import flag, listing, one_of, text, whole
from rewriting.core.inversion import invert
from rewriting.core.layer_choice import recommended, suitabilities
from rewriting.core.own_files import MAX_FILE, squared
from rewriting.core.presets import presets
from rewriting.core.request import MAX_REGIONS, MAX_RETOUCHED, Region, Request
from rewriting.generators import bundled
from rewriting.generators.latents import Numbering
from rewriting.generators.own_picture import Seed, likeness, seed_json
from rewriting.hub.client import Token
from rewriting.hub.source import license_of
from rewriting.studio.generator_keys import same
from rewriting.studio.hub_access import HOWS, Wish, publish_rules, published_rules
from rewriting.studio.programs.attachments import contents, own_picture_file, picture, read_seed
from rewriting.studio.programs.call import MOST, SHOWN, Call, zipped
from rewriting.studio.programs.endpoints import offer
from rewriting.studio.programs.places import LIKE, Place, Select, Spot, region, spot
from rewriting.studio.programs.retouched_pictures import RetouchedPicture, from_program, seed_of
from rewriting.studio.service import SEARCHED, SIDE, Service
from rewriting.studio.session import Session
from rewriting.studio.sharing import bring_in

PLACE = (
    'like {"seed": 3, "box": [0.3, 0.5, 0.7, 0.8]}: the number of a picture, or a file from invert, and left, top, '
    "right and bottom in shares of the picture. In place of box, ellipse takes the same four numbers, mask takes a "
    "square PNG, white where painted, as a data URL or an uploaded file, and press takes [x, y] and selects the "
    "object there; with press, size, 0.1 to 4, makes the region smaller or larger."
)
ARGUMENTS = {
    "generator": "A name from list_generators, or a repo of the Hub such as name/repo. By default the generator of "
    "the rules or, without rules, the studio's first generator.",
    "rules": "Names from list_presets, repos of the Hub, or rule files from other calls, each as its address or as an "
    "uploaded file.",
    "strengths": "A number from -10 to 10 for each rule: 1 as solved, 0 for no change, negative for the opposite.",
    "truncation": "From 0 to 2; lower values make more typical pictures. By default the generator's own.",
    "label": "The class of the pictures, for a generator with classes, from 0. By default 0.",
    "places": f"A list of places, each {PLACE}",
    "seeds": "Up to 24 pictures: numbers, or files from invert. By default the six best matches of the context.",
    "retouched": "A list of one to sixteen retouched pictures, each like "
    '{"seed": 3, "picture": "data:..."}: the number of a picture, and the retouched picture, as PNG, JPEG or WebP of '
    "the same size, as a data URL or an uploaded file. The change is where the pictures differ or, with mask, a "
    "square PNG, where the mask is white. In place of picture, points bends it: a list of [x, y, x', y'] in shares of "
    "the picture, where the content at (x, y) moves to (x', y'), with its surroundings within reach, 0.15 by default.",
    "copy": f"The place of the object to copy, {PLACE}",
    "paste": 'The new place of the object, like {"seed": 5, "at": [0.5, 0.2]}: the number of a picture, and the '
    "object's centre there. Without at, the object keeps the place that it has in its own picture. scale, 0.25 to 4, "
    "changes its size, turn, -180 to 180, turns it by degrees clockwise, and mirror: true exchanges left and right.",
    "context": "The places that the rule should change, each like copy. By default the place of the paste.",
    "preserve": "The places that the rule must not change, each like copy.",
    "erase": "true to erase the object in the context; leave out copy and paste then.",
    "layer": "The layer to change: low layers change objects, high layers colours and textures. By default the "
    "generator's own choice.",
    "rank": "The number of directions of the rule, 1 to 64; a higher rank follows the goal more. By default 5.",
}
EXAMPLES = {
    "image": "data:image/png;base64,...",
    "rules": ["frowns-to-smiles"],
    "places": [{"seed": 3, "box": [0.3, 0.5, 0.7, 0.8]}],
    "retouched": [{"seed": 3, "points": [[0.5, 0.6, 0.5, 0.55]]}],
    "request": {"format": "rewriting-request", "format_version": 1},
    "repo": "your-name/your-rule",
}


class Api:
    """The endpoints, by name.

    first: the studio's first generator, which may be a file on this machine.
    """

    def __init__(self, service: Service, first: str):
        self.service, self.first = service, first

    def offer(self) -> None:
        """Make endpoints from the methods below, on the page being built."""
        methods = (
            self.list_generators,
            self.list_presets,
            self.draw,
            self.before_and_after,
            self.invert,
            self.search,
            self.make_rule,
            self.learn_rule,
            self.solve_request,
            self.suggest_layer,
            self.save_rules,
            self.find_on_hub,
            self.open_from_hub,
            self.publish,
        )
        offer(methods, self.service.queue, ARGUMENTS, EXAMPLES)

    # --- lists ------------------------------------------------------------------------------------------------------

    def list_generators(self) -> list[dict]:
        """List the available generators. Other calls also take repos of the Hugging Face Hub.

        Returns:
            a list of {"name", "resolution", "layers": [lowest, highest], "default_layer", "classes"}; rules can change
            these layers; classes is how many classes it has, 0 for none.
        """
        call = self._call()
        return [call.described(name) for name in dict.fromkeys([*bundled(), self.first])]

    def list_presets(self) -> list[dict]:
        """List the rules that come with the studio.

        Returns:
            a list of {"name", "title", "generator", "measured"}; measured is a sentence on the rule's effect on unseen
            pictures.
        """
        return [
            {"name": p.name, "title": p.title, "generator": p.generator, "measured": p.measured}
            for p in presets().values()
        ]

    # --- pictures ---------------------------------------------------------------------------------------------------

    def draw(
        self,
        generator: str = "",
        seeds: list[int | str | dict] | None = None,
        rules: list[str | dict] | None = None,
        strengths: list[float] | None = None,
        truncation: float | None = None,
        label: int = 0,
        *,
        token: Token = None,
    ) -> dict:
        """Draw pictures of a generator, with or without rules.

        Args:
            seeds: Up to 24 pictures: numbers from 0 to 4294967295, or files from invert. By default 0 to 5.

        Returns:
            {"generator", "pictures"}; pictures is a list of {"seed", "picture"}.
        """
        call = self._call(generator, token, truncation, label)
        numbers = _seeds(seeds) or list(range(SHOWN))
        session = call.session(rules, strengths)
        drawn = []
        for part in call.parts(session, numbers):
            with call.turn():
                pictures = self.service.edited(session, part)
            for s, pixels in zip(part, pictures, strict=True):
                drawn.append({"seed": seed_json(s), "picture": picture(pixels, str(s))})
        return {"generator": call.name(session.generator), "pictures": drawn}

    def before_and_after(
        self,
        rules: list[str | dict],
        generator: str = "",
        seeds: list[int | str | dict] | None = None,
        strengths: list[float] | None = None,
        truncation: float | None = None,
        label: int = 0,
        *,
        token: Token = None,
    ) -> dict:
        """Draw pictures without and with rules, and measure the change.

        Returns:
            {"generator", "pictures"}; pictures is a list of {"seed", "before", "after", "change"}; change is the mean
            absolute change of all pixels, from 0 to 1.
        """
        call = self._call(generator, token, truncation, label)
        numbers = _seeds(seeds)
        session = call.session(_some(rules, "rules"), strengths)
        return {"generator": call.name(session.generator), "pictures": call.pairs(session, numbers)}

    def invert(self, image: str | dict, generator: str = "", layer: int | None = None, *, token: Token = None) -> dict:
        """Find the features with which a generator draws a picture of yours, so that rules can change and use it.

        Args:
            image: A PNG, JPEG or WebP of any size, as a data URL or an uploaded file; its middle square is used.
            layer: Rules of this layer and of later layers change the picture. By default the generator's own choice.

        Returns:
            {"generator", "layer", "psnr", "words", "file", "drawn"}; other calls take file in place of a picture's
            number; psnr is the likeness of the drawing in dB, and words describe it.
        """
        call = self._call(generator, token)
        loaded = self.service.generator(call.key)
        layer = loaded.check_layer(loaded.config.default_layer if layer is None else layer)
        data = contents(image, "image", MAX_FILE)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image"
            path.write_bytes(data)
            square = squared(path, loaded.config.resolution)
        *_, last = call.in_turn(invert(loaded, square, layer))
        return {
            "generator": call.name(call.key),
            "layer": last.picture.layer,
            "psnr": round(last.psnr, 2),
            "words": likeness(call.name(call.key), last.psnr),
            "file": own_picture_file(last.picture),
            "drawn": picture(last.image, str(last.picture)),
        }

    def search(
        self,
        places: list[Place],
        generator: str = "",
        layer: int | None = None,
        among: int = 480,
        count: int = 12,
        truncation: float | None = None,
        label: int = 0,
        *,
        token: Token = None,
    ) -> dict:
        """Find pictures that match places: a rule with these places as context would change them.

        Args:
            layer: The layer of the compared features. By default the generator's own choice.
            among: The number of pictures to search, from number 0 on; up to 960.
            count: The number of pictures to return; up to 24.

        Returns:
            {"generator", "pictures"}; pictures is a list of {"seed", "score", "at", "picture"}, the best match first;
            at is [x, y], the position of the best match in shares of the picture.
        """
        call = self._call(generator, token, truncation, label)
        among, count = whole(1, SEARCHED)(among, "among"), whole(1, MOST)(count, "count")
        context = _regions(_some(places, "places"), "places", call.select)
        session = call.asking(Request(context=context, layer=layer))
        *_, (_, best) = call.in_turn(self.service.search(session, among, count))
        with call.turn():
            matches = self.service.matches(session, best)
            drawn = self.service.plain(session, best)
        pictures = [
            {"seed": s, "score": round(float(score), 4), "at": _peak(heat), "picture": picture(pixels, str(s))}
            for s, score, heat, pixels in zip(best, matches.scores, matches.heat, drawn, strict=True)
        ]
        return {"generator": call.name(call.key), "pictures": pictures}

    # --- rules ------------------------------------------------------------------------------------------------------

    def make_rule(
        self,
        generator: str = "",
        copy: Place | None = None,
        paste: Spot | None = None,
        context: list[Place] | None = None,
        preserve: list[Place] | None = None,
        erase: bool = False,
        everywhere: bool = False,
        layer: int | None = None,
        rank: int | None = None,
        locality: float | None = None,
        name: str = "",
        seeds: list[int | str | dict] | None = None,
        truncation: float | None = None,
        label: int = 0,
        *,
        token: Token = None,
    ) -> dict:
        """Make a rule: copy an object from one picture, paste it into another, and give the places that the rule
        should change. Or erase an object. The answer has the rule as a file, and pictures before and after.

        Args:
            everywhere: true to paste the object at every place of the context while solving, not at paste alone.
            locality: The weight against changes elsewhere, 0 or more. By default as suits the generator.
            name: A name for the rule.

        Returns:
            {"generator", "name", "layer", "layers", "rank", "report", "rule", "pictures"}; layer is the lowest of the
            layers; report has the losses before and after the solve, and the change elsewhere; rule is the file;
            pictures is a list of {"seed", "before", "after", "change"}.
        """
        call = self._call(generator, token, truncation, label)
        numbers = _seeds(seeds)
        request = _request(
            copy, paste, context, preserve, erase, call.select, everywhere=flag(everywhere, "everywhere"),
            layer=layer, rank=rank, locality=locality, name=text(80)(name, "name"),
        )  # fmt: skip
        return call.solved(call.asking(request), numbers)

    def learn_rule(
        self,
        retouched: list[RetouchedPicture],
        generator: str = "",
        context: list[Place] | None = None,
        preserve: list[Place] | None = None,
        layer: int | None = None,
        rank: int | None = None,
        locality: float | None = None,
        name: str = "",
        seeds: list[int | str | dict] | None = None,
        truncation: float | None = None,
        label: int = 0,
        *,
        token: Token = None,
    ) -> dict:
        """Make a rule from retouched pictures: retouch one picture or, better, three in any way, and the generator
        draws similar places like that. This takes ten to twenty seconds. The answer has the rule as a file, and
        pictures before and after.

        Args:
            context: Further places that the rule should change, each like {"seed": 3, "box": [0.3, 0.5, 0.7, 0.8]};
                the retouch is transferred to them, and more places make a better rule. The retouched areas always
                belong to the context.
            rank: The number of directions of the rule, 1 to 64. By default 20.
            locality: The weight against changes outside the retouched areas, 0 or more. By default 2.5.
            name: A name for the rule.

        Returns:
            the same as make_rule.
        """
        call = self._call(generator, token, truncation, label)
        numbers = _seeds(seeds)
        places = _places(context, preserve, call.select)
        request = Request(**places, layer=layer, rank=rank, locality=locality, name=text(80)(name, "name"))
        session = call.asking(request)
        entries = listing(lambda entry, _: entry, MAX_RETOUCHED)(_some(retouched, "retouched"), "retouched")
        for index, entry in enumerate(entries):
            seed = seed_of(entry, f"retouched[{index}]")
            with call.turn():
                original = self.service.plain(session, [seed])[0]
            session = session.retouch(from_program(entry, f"retouched[{index}]", original))
        return call.solved(session, numbers)

    def solve_request(
        self, request: dict, generator: str = "", seeds: list[int | str | dict] | None = None, *, token: Token = None
    ) -> dict:
        """Solve a saved request of this studio, or a saved session of the paper's code.

        Args:
            request: The JSON of the file.
            generator: The generator of the request, as for draw, if the request does not name it.

        Returns:
            the same as make_rule.
        """
        numbers = _seeds(seeds)
        saved = Request.from_json(_parsed(request))
        if saved.is_session and not generator:
            raise ValueError("A saved session of the paper's code does not name its generator; give generator.")
        call = self._call(generator or saved.generator, token)
        if saved.generator and not same(saved.generator, call.key):
            raise ValueError(
                f"The request was made for {saved.generator[:80]!r}, and its numbers mean other pictures of "
                f"{generator[:80]!r}; leave the generator out."
            )
        return call.solved(bring_in(saved, Session.on(call.key), self.service), numbers)

    def suggest_layer(
        self,
        generator: str = "",
        copy: Place | None = None,
        paste: Spot | None = None,
        context: list[Place] | None = None,
        preserve: list[Place] | None = None,
        erase: bool = False,
        rank: int | None = None,
        truncation: float | None = None,
        label: int = 0,
        *,
        token: Token = None,
    ) -> dict:
        """Try a rule at every layer of the generator, and recommend the best one. This takes as long as several rules.

        Returns:
            {"generator", "layer", "layers"}; layer is the recommended one; layers is a list of {"layer", "reached",
            "elsewhere", "alone"}, shares from 0 to 1: the share of the goal that was reached, the change elsewhere,
            and the likeness of the object when the layer's values are drawn alone.
        """
        call = self._call(generator, token, truncation, label)
        request = call.asking(_request(copy, paste, context, preserve, erase, call.select, rank=rank)).request
        steps = suitabilities(self.service.generator(call.key), request, lambda n: self.service.rewriter(call.key, n))
        trials = list(call.in_turn(steps))
        if not trials:
            raise ValueError("The places are too small for any layer; give larger ones.")
        layers = [
            {"layer": o.layer, "reached": o.reached, "elsewhere": o.elsewhere, "alone": o.isolation} for o in trials
        ]
        return {"generator": call.name(call.key), "layer": recommended(trials), "layers": layers}

    def save_rules(
        self,
        rules: list[str | dict],
        strengths: list[float] | None = None,
        generator: str = "",
        *,
        token: Token = None,
    ) -> dict:
        """Save rules with their strengths in one file, which the studio, the command line and Python open.

        Returns:
            the file, a zip to download.
        """
        return zipped(self._call(generator, token).session(_some(rules, "rules"), strengths))

    # --- the Hub ----------------------------------------------------------------------------------------------------

    def find_on_hub(self, search: str = "", *, token: Token = None) -> list[dict]:
        """List rules that people published on the Hugging Face Hub, the newest first.

        Args:
            search: A part of the repo's name. By default all of them.

        Returns:
            a list of {"repo", "kind", "generator", "license", "likes", "downloads", "updated", "picture"}; kind is
            "edit" for rules and "model" for a rewritten generator; picture is the address of pictures under the rule.
        """
        return [
            {
                "repo": rule.repo_id,
                "kind": rule.kind,
                "generator": rule.base,
                "license": rule.license,
                "likes": rule.likes,
                "downloads": rule.downloads,
                "updated": rule.updated,
                "picture": rule.picture,
            }
            for rule in published_rules(self.service, text(200)(search, "search"), token)
        ]

    def open_from_hub(self, repo: str, *, token: Token = None) -> dict:
        """Open a repo of the Hugging Face Hub: a generator, or rules and the generator that they were made for.

        Args:
            repo: Its id, such as name/repo or name/repo@revision, or its address. Add ":" and a path for a file of
                another program in it.

        Returns:
            {"generator", "architecture", "license", "resolution", "layers", "default_layer", "classes", "rules"};
            generator is its name for other calls; rules is a list of {"name", "layer", "rank", "strength"}; to use
            them, give the repo as a rule.
        """
        call = self._call(token=token)
        key, stack = call.from_hub(repo, "repo")
        config = self.service.generator(key).config
        described = call.described(key) | {"architecture": config.architecture_name, "license": license_of(config)}
        rules = [{"name": e.name, "layer": e.layer, "rank": e.rank, "strength": e.strength} for e in stack]
        return {"generator": described.pop("name"), **described, "rules": rules}

    def publish(
        self,
        repo: str,
        rules: list[str | dict],
        strengths: list[float] | None = None,
        generator: str = "",
        full_model: bool = False,
        private: bool = False,
        how: str = "update",
        *,
        token: Token = None,
    ) -> dict:
        """Publish rules on the Hugging Face Hub, with the caller's own login, as a repo with a card and pictures.

        Args:
            repo: The repo to publish to: "name/repo", or "repo" in the caller's own namespace.
            full_model: true to publish the generator with the rules in its weights, not the rules alone.
            private: true for a new repo that only its owner sees.
            how: "update" to create the repo or update it, "create" only to create it, or "pull request".

        Returns:
            {"repo", "url", "commit", "created", "changed", "private", "pull_request"}.
        """
        call = self._call(generator, token)
        wish = Wish(
            text(200)(repo, "repo"), flag(full_model, "full_model"), flag(private, "private"),
            one_of(*HOWS)(how, "how"),
        )  # fmt: skip
        session = call.session(_some(rules, "rules"), strengths)
        answer = asdict(publish_rules(self.service, session, wish, token))
        return {"repo": answer.pop("repo_id"), **answer}

    def _call(self, generator: Any = "", token: Token = None, truncation: Any = None, label: Any = 0) -> Call:
        return Call(self.service, self.first, generator, token, Numbering("seed", truncation, label))


def _request(
    copy: Any, paste: Any, context: Any, preserve: Any, erase: Any, select: Select, **settings: Any
) -> Request:
    """A complete request, with masks of the page's size.  Raises ValueError in one sentence."""
    places = _places(context, preserve, select)
    if flag(erase, "erase"):
        if copy is not None or paste is not None:
            raise ValueError("erase is true, so nothing is copied or pasted; leave copy and paste out.")
        if not places["context"]:
            raise ValueError(f"erase is true, but context is empty; give the places to erase, {LIKE}.")
        return Request(erase=True, **places, **settings)
    for place, name in ((copy, "copy"), (paste, "paste")):
        if place is None:
            raise ValueError(f"{name} is missing; give a place {LIKE}, or set erase and leave copy and paste out.")
    copied = region(copy, "copy", SIDE, select)
    pasted, transform = spot(paste, "paste", copied)
    return Request(copy=copied, paste=pasted, transform=transform, **places, **settings)


def _places(context: Any, preserve: Any, select: Select) -> dict[str, tuple[Region, ...]]:
    return {
        "context": _regions(context or [], "context", select),
        "preserve": _regions(preserve or [], "preserve", select),
    }


def _regions(places: Any, name: str, select: Select | None = None) -> tuple[Region, ...]:
    return tuple(listing(lambda place, at: region(place, at, SIDE, select), MAX_REGIONS)(places, name))


def _some(values: Any, name: str) -> Any:
    """Return the values.  Raises ValueError if there are none."""
    if values in (None, [], ""):
        raise ValueError(f"{name} is empty; give one or more.")
    return values


def _seeds(seeds: Any) -> list[Seed]:
    return listing(read_seed, MOST)([] if seeds is None else seeds, "seeds")


def _parsed(request: Any) -> Any:
    """Parse JSON that a client sent as a text; other data is returned as it is."""
    try:
        return json.loads(request) if isinstance(request, str) else request
    except (ValueError, RecursionError):
        raise ValueError("request is a text but not JSON; send the content of the request's file.") from None


def _peak(heat: np.ndarray) -> list[float]:
    """[x, y] of the highest response of (h, w), in shares of the picture."""
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    return [round((float(at) + 0.5) / side, 3) for at, side in ((column, heat.shape[1]), (row, heat.shape[0]))]
