"""The endpoints as MCP tools, which return pictures as images and everything else as JSON.

gradio's own tool server prints lists in Python's notation, shows a picture only if it is the whole result, and reports
wrong calls in the words of its libraries.
"""

import base64
import json
from pathlib import Path
from typing import Any

import gradio.mcp
from gradio_client import Client
from gradio_client.utils import is_file_obj_with_meta, traverse

from rewriting.studio.programs.endpoints import wrong


def install() -> None:
    """Make gradio use `Tools` from its next launch on.  Raises ImportError without the package `mcp`."""
    from mcp.server import Server  # an optional package

    class Unchecked(Server):
        """Leaves the checks of arguments to the endpoints, which report errors in one sentence."""

        def call_tool(self, **_: Any) -> Any:
            return super().call_tool(validate_input=False)

    Tools.Server = Unchecked
    gradio.mcp.GradioMCPServer = Tools


class Tools(gradio.mcp.GradioMCPServer):
    """gradio's tool server, with answers that an agent can read."""

    def _prepare_tool_call_args(self, name: str, arguments: dict[str, Any]) -> Any:
        endpoints = self.tool_to_endpoint
        if name not in endpoints:
            raise ValueError(f"There is no tool {name!r:.60}; there are {', '.join(endpoints)}.")
        function = self.get_block_fn_from_endpoint_name(endpoints[name]).fn
        if fault := wrong(function, arguments):
            raise ValueError(fault)
        return super()._prepare_tool_call_args(name, arguments)

    def _get_or_create_client(self) -> Client:
        """A client that calls the endpoints on this machine directly, without proxies."""
        if self._client_instance is None:
            self._client_instance = Client(
                self.local_url,
                download_files=False,
                verbose=False,
                analytics_enabled=False,
                ssl_verify=False,
                _skip_components=False,
                headers={"x-gradio-user": "mcp"},
                httpx_kwargs={"trust_env": False},
            )
        return self._client_instance

    def get_input_schema(self, tool_name: str, parameters: dict[str, str] | None = None) -> tuple[dict, list]:
        schema, files = super().get_input_schema(tool_name, parameters)
        for property in schema["properties"].values():
            property.pop("additional_description", None)  # the same as its description
        return schema, files

    def postprocess_output_data(self, data: Any, root_url: str) -> list:
        (answer,) = gradio.processing_utils.add_root_url(data, root_url, None)
        text, images = readable(answer)
        pictures = [self.types.ImageContent(type="image", data=data, mimeType=kind) for data, kind in images]
        return [self.types.TextContent(type="text", text=text), *pictures]


def readable(answer: Any) -> tuple[str, list[tuple[str, str]]]:
    """An endpoint's answer as JSON text, and its pictures, each as (base64, MIME type).

    In the text, {"image": 1, "url": ...} stands for the first picture, and an address for any other file.
    """
    images: list[tuple[str, str]] = []

    def file(value: dict[str, Any]) -> Any:
        kind = value.get("mime_type") or ""
        if not kind.startswith("image/"):
            return value["url"]
        images.append((base64.b64encode(Path(value["path"]).read_bytes()).decode(), kind))
        return {"image": len(images), "url": value["url"]}

    text = json.dumps(traverse(answer, file, is_file_obj_with_meta), ensure_ascii=False)
    return text, images
