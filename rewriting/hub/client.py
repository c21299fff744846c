"""Asking the Hugging Face Hub: with whose token, for how long, and what went wrong in one sentence.

`huggingface_hub` is imported where it is used, so that the software starts without it and without a network.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any, TypeVar

Token = str | bool | None
T = TypeVar("T")

PUBLIC = "REWRITING_PUBLIC"  # in the environment: other people than this machine's user reach the page
CONNECT = 3.0  # seconds until a Hub that cannot be reached is given up
PATIENCE = 8.0  # seconds for the answer to a small question
CACHED_PATIENCE = 3.0  # the same where a copy in the cache will do
LOWEST_RATE = 100_000  # bytes per second; a transfer slower than that is given up
REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
REVISION = re.compile(r"\w[\w.+/-]{0,199}", re.ASCII)


class HubError(ValueError):
    """What could not be done with the Hub: one sentence that says why, and what to do next."""


class Unreachable(HubError):
    """The Hub did not answer, or was not asked because the software is offline."""


class Missing(HubError):
    """There is no such repo, or the token may not see it."""


class Gated(HubError):
    """The repo is for people who accepted its conditions."""


@dataclass(frozen=True)
class Account:
    """Whom a token belongs to.  organizations: where this account is a member."""

    name: str
    organizations: tuple[str, ...] = ()


def hosted() -> bool:
    """Whether whoever asks is a visitor: on a hosted Space, or where `app.py` made the page public."""
    return bool(os.environ.get("SPACE_ID") or os.environ.get(PUBLIC))


def reading_token(token: Token) -> Token:
    """The token to read with.  None is the login of this machine; on a Space, whose token is not the visitor's,
    it is no token at all."""
    if isinstance(token, str):
        token = token.strip() or None
    if isinstance(token, str) and not re.fullmatch(r"[!-~]+", token):
        raise HubError("This is not a token of the Hub; copy one from its settings, or log in with `hf auth login`.")
    if hosted() and not isinstance(token, str):
        return False
    return token


def writing_token(token: Token) -> str:
    """The token to write with: the one given or, except on a Space, that of `hf auth login`."""
    from huggingface_hub import get_token

    token = reading_token(token)
    if token is None or token is True:
        token = get_token()
    if isinstance(token, str):
        return token
    if hosted():
        raise HubError("Log in first: a rule is published under your own name, with your own token.")
    raise HubError("You are not logged in to the Hub; run `hf auth login`, or give a token that may write.")


def check_repo_id(repo_id: str) -> str:
    """The id back; HubError unless it reads namespace/name."""
    bad = not REPO_ID.fullmatch(repo_id) or "--" in repo_id or ".." in repo_id or repo_id.endswith((".git", "-", "."))
    if bad:
        raise HubError(
            f"{repo_id[:100]!r} is not the id of a repo; it has the form name/repo, of letters, digits, -, _ and dots."
        )
    return repo_id


def check_revision(revision: str | None) -> str:
    """The revision, "main" for None; HubError if it cannot be the name of one."""
    if revision is None:
        return "main"
    if not REVISION.fullmatch(revision) or ".." in revision or "//" in revision:
        raise HubError(f"{revision[:100]!r} cannot be a revision; give a branch, a tag or a commit.")
    return revision


def host(endpoint: str | None) -> str:
    """The Hub's address, without a slash at the end."""
    from huggingface_hub import constants

    endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
    if not re.match(r"https?://[^/\s]+", endpoint):
        raise HubError(f"{endpoint[:100]!r} is not the address of a Hub; it starts with https://.")
    return endpoint


def api(token: Token, endpoint: str | None) -> Any:
    """A `huggingface_hub.HfApi` that says which software asks."""
    from huggingface_hub import HfApi

    return HfApi(endpoint=host(endpoint), token=token, library_name="rewriting", library_version=version())


def version() -> str:
    from rewriting import __version__

    return __version__


def bounded(seconds: float, call: Callable[[], T], late: str) -> T:
    """What `call` returns; Unreachable, with the sentence `late`, if it takes longer than that.

    Timeouts of the client cover neither the look-up of a host name nor most calls that write, which would wait for
    ever.  A call that is late is left behind in its thread.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=work, daemon=True).start()
    try:
        return future.result(seconds)
    except FutureTimeout:
        if future.done():  # a timeout that the call itself met
            raise
        raise Unreachable(late) from None


def patience(size: int) -> float:
    """Seconds that a transfer of so many bytes may take."""
    return 30 + size / LOWEST_RATE


def ask(path: str, *, token: Token, endpoint: str | None, params: dict[str, Any] | None = None) -> Any:
    """Parsed answer to one GET of the Hub's API, asked once."""
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    url = host(endpoint) + path

    def get() -> Any:
        headers = build_hf_headers(token=token, library_name="rewriting", library_version=version())
        response = get_session().get(url, headers=headers, params=params, timeout=timeout(PATIENCE))
        hf_raise_for_status(response)
        return response.json()

    return bounded(PATIENCE + CONNECT, get, silence(endpoint))


def timeout(seconds: float) -> Any:
    """For the client's calls: so long for an answer, and no longer than CONNECT for a connection."""
    return http_client().Timeout(seconds, connect=min(CONNECT, seconds))


def http_client() -> Any:
    """The module that `huggingface_hub` speaks HTTP with: httpx2 from 2.0 on, httpx before."""
    from huggingface_hub.errors import HfHubHTTPError

    module = next(base for base in HfHubHTTPError.__mro__ if base.__name__ == "HTTPError").__module__
    return importlib.import_module(module.partition(".")[0])


def silence(endpoint: str | None) -> str:
    return f"The Hub at {host(endpoint)} does not answer; check the connection and try again."


def account(*, token: Token = None, endpoint: str | None = None) -> Account:
    """Whom the token belongs to: the one given or, except on a Space, that of `hf auth login`.

    Raises HubError if there is none, it is not valid, or the Hub does not answer within some seconds.
    """
    token = writing_token(token)
    with plainly("your account", endpoint=endpoint):
        data = ask("/api/whoami-v2", token=token, endpoint=endpoint)
    organizations = [one.get("name") for one in data.get("orgs") or () if isinstance(one, dict)]
    return Account(str(data["name"]), tuple(name for name in organizations if isinstance(name, str)))


@contextmanager
def plainly(what: str, *, endpoint: str | None = None, revision: str | None = None) -> Iterator[None]:
    """Turns whatever the Hub's client raises into a HubError about `what`, a repo's id or the like."""
    from huggingface_hub import errors

    http, xet = http_client(), getattr(errors, "XetDownloadError", OSError)
    try:
        yield
    except HubError:
        raise
    except (OSError, http.HTTPError, http.InvalidURL, xet, RuntimeError) as error:
        raise _explained(error, what, endpoint, revision) from error
    except ValueError as error:  # the client's own checks, and answers that are not JSON
        raise HubError(
            f"The Hub and its client disagree about {what} ({one_line(error)}); try again later."
        ) from error


def _explained(error: Exception, what: str, endpoint: str | None, revision: str | None) -> HubError:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return Gated(
            f"{what} is for people who accepted its conditions: open {host(endpoint)}/{what}, accept them, and come "
            f"back with a token of that account."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return HubError(
            f"{what} has no revision {revision or 'main'!r}; give a branch, a tag or a commit that it has."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return Missing(f"There is no repo {what} that you can see; check its name or, if it is private, log in.")
    if isinstance(error, errors.LocalEntryNotFoundError):
        refused = isinstance(error.__cause__, errors.HfHubHTTPError)
        return _status(error.__cause__, what, endpoint) if refused else Unreachable(silence(endpoint))
    if isinstance(error, errors.EntryNotFoundError):
        return HubError(f"A file of {what} is gone from the Hub; open the repo there and see what it holds now.")
    if isinstance(error, errors.OfflineModeIsEnabled):
        return Unreachable(
            "The Hub is switched off here (HF_HUB_OFFLINE); unset that, or use what is on this machine."
        )
    if isinstance(error, errors.HfHubHTTPError):
        return _status(error, what, endpoint)
    if isinstance(error, (http_client().HTTPError, ConnectionError, TimeoutError)):
        return Unreachable(f"The connection to {host(endpoint)} failed ({type(error).__name__}); try again.")
    cause = error.__cause__
    if isinstance(cause, Exception):  # such as the client's "Error while uploading ..."
        return _explained(cause, what, endpoint, revision)
    return HubError(f"This could not be done with {what} ({one_line(error)}); try again.")


def _status(error: Any, what: str, endpoint: str | None) -> HubError:
    status = error.response.status_code
    said = one_line(error.server_message or error)
    sentences = {
        401: "The Hub does not accept this token; log in again with `hf auth login`, or give another.",
        402: f"The Hub asks for a paid plan before it does this with {what} ({said}).",
        403: f"This token may not do that with {what} ({said}); use a name of your own and a token that may write, or "
        f"open a pull request.",
        409: f"{what} is there already, or is being made this moment; look at it, then publish again to update it.",
        412: f"{what} has changed while this was sent; look at it on the Hub, then publish again.",
        413: f"The Hub finds this too large for {what} ({said}); publish the rule instead of the whole model.",
        429: "The Hub asks for fewer requests; wait some minutes and try again.",
    }
    if status in sentences:
        return HubError(sentences[status])
    if status >= 500:
        return Unreachable(f"The Hub at {host(endpoint)} has trouble of its own ({status}); try again later.")
    return HubError(f"The Hub refused this for {what} ({status}: {said}); check what was asked.")


def one_line(text: object, most: int = 160) -> str:
    """Somebody else's words, as part of a sentence of ours."""
    words = " ".join(str(text).split()).rstrip(".")
    return words if len(words) <= most else words[: most - 1] + "…"
