"""Endpoints for programs from functions, over HTTP and as MCP tools.

An endpoint has the function's name and docstring.  Calls wait in turn with all visitors, and errors are one sentence.
"""

import functools
import inspect
import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import gradio as gr
from fastapi import Request
from fastapi.exception_handlers import request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from gradio.route_utils import FnIndexInferError
from gradio.utils import get_function_description

from rewriting.studio.fair_queue import FairQueue

log = logging.getLogger(__name__)

REFUSALS = (ValueError, OSError)  # errors with one sentence for people
LIMITS = {"concurrency_id": "api", "concurrency_limit": 16}
CALL = "/call/"  # part of the path of every HTTP call
TOKEN = "token"  # the argument of a function for the caller's login at the Hub


def offer(
    functions: Iterable[Callable], queue: FairQueue, described: Mapping[str, str], examples: Mapping[str, Any]
) -> None:
    """Make endpoints from functions, on the page being built.

    described: descriptions of arguments, by name, that are not in a function's docstring.  examples: for required
    arguments.  A keyword-only argument `token` is not an argument of the endpoint: it receives the caller's login at
    the Hub, from a Space's login, the body's `oauth_token`, or the header `HF-Token`.
    """
    for function in functions:
        answer = endpoint(function, queue, described)
        what, takes, (gives,) = get_function_description(answer)
        added = gr.api(answer, api_name=function.__name__, api_description=f"{what} Returns {gives}", **LIMITS)
        added_fn = gr.context.Context.root_block.fns[added["id"]]
        added_fn.outputs[0].label = "answer"
        for block, name in zip(added_fn.inputs, answer.takes, strict=True):
            block.label = name
            block._api_info = _without_null(block._api_info) | {"additional_description": takes[name]}
            if answer.takes[name]:
                block.example_payload = lambda name=name: examples[name]


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an optional argument without its null."""
    return next((variant for variant in schema.get("oneOf", ()) if variant != {"type": "null"}), schema)


def endpoint(function: Callable, queue: FairQueue, described: Mapping[str, str]) -> Callable:
    """Wrap a function for gradio, with positional arguments and a docstring that gradio can parse.

    The wrapper's attribute `takes` holds the names of the arguments, and whether each is required.
    """
    parameters = dict(inspect.signature(function).parameters)
    with_token = parameters.pop(TOKEN, None) is not None
    hidden = {"oauth": gr.OAuthToken | None, "hf_token": gr.Header | None} if with_token else {}

    @functools.wraps(function)
    def answer(*values: Any) -> Any:
        values, logins = values[: len(parameters)], values[len(parameters) :]
        login = {TOKEN: next((getattr(login, TOKEN, login) for login in logins if login), None)} if with_token else {}
        try:
            with queue.serving():
                return function(*values, **login)
        except REFUSALS as error:
            raise gr.Error(str(error), print_exception=False) from error
        except Exception as error:
            log.exception("%s failed", function.__name__)
            raise gr.Error(
                f"{function.__name__} failed; the log of the studio says why.", print_exception=False
            ) from error

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    own = [inspect.Parameter(name, kind, default=None, annotation=hint) for name, hint in hidden.items()]
    signature = inspect.signature(function)
    answer.__signature__ = signature.replace(parameters=[*parameters.values(), *own])
    answer.__annotations__ = {name: hint for name, hint in function.__annotations__.items() if name != TOKEN} | hidden
    answer.takes = {name: parameter.default is parameter.empty for name, parameter in parameters.items()}
    answer.__doc__ = unwrapped(inspect.getdoc(function))
    what, texts, gives = get_function_description(answer)
    takes = [f"    {name}: {texts[name] or described[name]}" for name in answer.takes]
    answer.__doc__ = "\n".join([what, *(["Args:"] if takes else []), *takes, "Returns:", *gives])
    return answer


def unwrapped(doc: str) -> str:
    """A docstring with one line for each entry of its sections "Args" and "Returns", which gradio requires."""
    lines: list[str] = []
    for line in doc.splitlines():
        depth = len(line) - len(line.lstrip())
        in_returns = "Returns:" in lines and lines[-1] != "Returns:"
        if line.strip() and lines and (depth > 4 or (depth == 4 and in_returns)):
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return "\n".join(lines)


# --- wrong calls -----------------------------------------------------------------------------------------------------


def wrong(function: Callable, arguments: Collection[str]) -> str:
    """One sentence on the error of a call with these arguments; "" for a correct call."""
    name, takes = function.__name__, function.takes
    unknown = next((argument for argument in arguments if argument not in takes), None)
    if unknown is not None:
        return f"{name} has no argument {unknown!r:.60}; {_listed(takes)}."
    missing = next((argument for argument, needed in takes.items() if needed and argument not in arguments), None)
    if missing is not None:
        meaning, _, _ = get_function_description(function)[1][missing].partition(". ")
        return f"{name} needs the argument {missing}: {meaning.rstrip('.')}."
    return ""


def _listed(takes: Collection[str]) -> str:
    return f"its arguments are {', '.join(takes)}" if takes else "it takes none"


def check_count(function: Callable, values: Collection[Any]) -> None:
    """Raise ValueError if a positional call has another number of values than the endpoint has arguments."""
    if len(values) != len(function.takes):
        raise ValueError(
            f"{function.__name__} got {len(values)} values for {len(function.takes)} arguments; "
            f"{_listed(function.takes)}."
        )


def endpoints(page: gr.Blocks) -> dict[str, Callable]:
    """The functions of the endpoints from `offer`, by name."""
    return {fn.api_name: fn.fn for fn in page.fns.values() if hasattr(fn.fn, "takes")}


async def refuse_body(request: Request, error: RequestValidationError) -> Response:
    """Answer an HTTP call whose body is not a JSON object."""
    if CALL not in request.url.path:
        return await request_validation_exception_handler(request, error)
    return JSONResponse({"detail": 'A call needs a body of JSON with its arguments, like {"seeds": [0, 1]}.'}, 422)


async def refuse(request: Request, error: Exception) -> Response:
    """Answer an HTTP call with an unknown endpoint, or with wrong arguments."""
    if CALL not in request.url.path:
        raise error
    known = endpoints(request.app.get_blocks())
    name = request.url.path.rstrip("/").rsplit("/", 1)[-1]
    if name not in known:
        return JSONResponse({"detail": f"There is no endpoint {name!r:.60}; there are {', '.join(known)}."}, 404)
    missing = re.search(r"required argument: (\w+)", str(error))
    unknown = re.search(r"`(.*)`", str(error), re.DOTALL)
    if missing:
        given = known[name].takes.keys() - {missing[1]}
    elif unknown:
        given = [unknown[1]]
    else:
        raise error
    return JSONResponse({"detail": wrong(known[name], given)}, 422)


HANDLERS = {RequestValidationError: refuse_body, TypeError: refuse, KeyError: refuse, FnIndexInferError: refuse}
"""Exception handlers for the server: gradio raises these errors for a wrong call before it calls a function."""
