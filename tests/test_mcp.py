"""The studio's tools as an agent uses them: through a session of the MCP client, on a studio that knows one Hub."""

import asyncio
import base64
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio
import gradio.mcp
import httpx
import numpy as np
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from rewriting.core.presets import Preset
from rewriting.studio import page, service
from rewriting.studio.programs import api, call, mcp_tools
from rewriting.studio.service import Service
from tests import tiny
from tests.browser import serving
from tests.hub_client import alone_with_a_hub
from tests.hub_repos import LAYER, files_of
from tests.surroundings import PATIENCE

pytest_plugins = ("tests.hub_fixtures",)

PRESET = "hats"
MOUTH = [0.2, 0.5, 0.6, 0.8]


@pytest.fixture(scope="module")
def studio(folder, tmp_path_factory) -> Iterator[SimpleNamespace]:
    """A studio with tools and one preset, and its Hub, which holds a generator: url, hub, token."""
    made = {name: tiny.generator(name=name, seed=9) for name in ("face", "church", "horse", "kitchen")}
    with pytest.MonkeyPatch.context() as patch, alone_with_a_hub(patch, tmp_path_factory.mktemp("client")) as hub:
        patch.setattr("rewriting.core.memory.SAMPLES", 48)
        patch.setattr(gradio.mcp, "GradioMCPServer", gradio.mcp.GradioMCPServer)
        mcp_tools.install()
        shop = Service(made.__getitem__, endpoint=hub.url)
        request = tiny.request(name="Hats").with_(generator="face", layer=LAYER, rank=1)
        presets = {PRESET: Preset(PRESET, request, Path("nowhere"))}
        patch.setattr(service, "preset", presets.__getitem__)
        patch.setattr(api, "presets", lambda: presets)
        patch.setattr(call, "presets", lambda: presets)
        patch.setattr(page, "presets", dict)
        hub.add_repo("org/tiny", files_of(folder))
        with serving(page.build(shop, "face"), mcp_server=True, show_error=True) as url:
            yield SimpleNamespace(url=f"{url}gradio_api/mcp/", hub=hub, token=hub.add_user("alice"))


def agent(studio: SimpleNamespace, work: Callable, **headers: str) -> Any:
    """What `work` returns, which is given a session of the client."""

    async def connected() -> Any:
        async with (
            httpx.AsyncClient(headers=headers, timeout=PATIENCE) as client,
            streamable_http_client(studio.url, http_client=client) as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            return await work(session)

    return asyncio.run(connected())


async def told(session: ClientSession, tool: str, **arguments: Any) -> tuple[Any, list[np.ndarray]]:
    """What a tool answers: its JSON, and its pictures."""
    answer = await session.call_tool(tool, arguments)
    assert not answer.isError, answer.content[0].text
    text, *images = answer.content
    decoded = [Image.open(io.BytesIO(base64.b64decode(image.data))).convert("RGB") for image in images]
    return json.loads(text.text), [np.asarray(image).astype(float) for image in decoded]


def test_every_tool_says_what_it_takes_and_needs_no_more_than_it_must(studio):
    listed = agent(studio, lambda session: session.list_tools()).tools
    needed = {tool.name: tool.inputSchema.get("required", []) for tool in listed}
    for name in ("list_generators", "list_presets", "draw", "make_rule", "suggest_layer", "find_on_hub"):
        assert needed[name] == [], name
    for name, what in (("search", "places"), ("solve_request", "request"), ("open_from_hub", "repo")):
        assert needed[name] == [what], name
    assert needed["before_and_after"] == needed["save_rules"] == ["rules"] and needed["publish"] == ["repo", "rules"]
    for tool in listed:
        assert tool.description and not {"token", "oauth", "hf_token"} & tool.inputSchema["properties"].keys()
        assert all(one.get("description") for one in tool.inputSchema["properties"].values()), tool.name


def test_an_agent_finds_opens_draws_makes_a_rule_looks_at_it_and_publishes_it(studio):
    async def work(session):
        generators, _ = await told(session, "list_generators")
        assert {"face", "church"} <= {one["name"] for one in generators}
        opened, _ = await told(session, "open_from_hub", repo="org/tiny")
        generator = opened["generator"]
        assert (
            generator.startswith("org/tiny@") and opened["resolution"] == 32 and opened["architecture"] == "StyleGAN2"
        )
        assert opened["license"] == "not stated; look it up at its source"
        plain, (first, second) = await told(session, "draw", generator=generator, seeds=[4, 9])
        assert [one["seed"] for one in plain["pictures"]] == [4, 9] and abs(first - second).max() > 10

        presets, _ = await told(session, "list_presets")
        with_presets = {"rules": [presets[0]["name"]], "seeds": [3]}
        drawn = [(await told(session, "draw", strengths=[x], **with_presets))[1][0] for x in (0, 0.5, 1)]
        assert 0 < abs(drawn[1] - drawn[0]).mean() < abs(drawn[2] - drawn[0]).mean()

        made, pictures = await told(
            session,
            "make_rule",
            generator=generator,
            copy={"seed": 0, "box": MOUTH},
            paste={"seed": 1, "at": [0.5, 0.5]},
            context=[{"seed": 1, "box": MOUTH}, {"seed": 2, "ellipse": MOUTH}],
            layer=LAYER,
            rank=1,
            name="Mouths",
            seeds=[5, 6],
        )
        assert made["report"]["loss_after"] < made["report"]["loss_before"] and len(pictures) == 4
        shown, (before, after) = await told(session, "before_and_after", rules=[made["rule"]], seeds=[5])
        assert shown["generator"] == generator and shown["pictures"][0]["change"] > 0
        assert abs(before - pictures[0]).max() == abs(after - pictures[1]).max() == 0 < abs(after - before).max()

        done, _ = await told(session, "publish", repo="mouths", rules=[made["rule"]], strengths=[0.5])
        assert (done["repo"], done["created"]) == ("alice/mouths", True)
        found, _ = await told(session, "find_on_hub", search="mouth")
        assert [one["repo"] for one in found] == ["alice/mouths"]
        again, (_, after) = await told(session, "before_and_after", rules=["alice/mouths"], seeds=[5])
        assert again["generator"] == generator and 0 < again["pictures"][0]["change"] < shown["pictures"][0]["change"]

    agent(studio, work, **{"HF-Token": studio.token})
    assert {"edit.safetensors", "README.md"} <= studio.hub.repo("alice/mouths").head.files.keys()


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("paint", {}, "There is no tool 'paint'; there are list_generators"),
        ("draw", {"seed": [1]}, "draw has no argument 'seed'; its arguments are generator, seeds"),
        ("draw", {"seeds": "many"}, "seeds"),
        ("draw", {"generator": "org/none"}, "There is no repo org/none that you can see"),
        ("search", {}, "search needs the argument places: A list of places"),
        ("make_rule", {"copy": {"seed": 0, "box": [1, 2]}, "paste": {"seed": 1}}, "copy"),
        ("publish", {"repo": "mouths", "rules": [PRESET]}, "You are not logged in to the Hub"),
    ],
)
def test_a_wrong_call_is_answered_with_one_sentence(studio, tool, arguments, said):
    answer = agent(studio, lambda session: session.call_tool(tool, arguments))
    (text,) = [one.text for one in answer.content]
    assert answer.isError and said in text and tiny.is_one_sentence(text)
