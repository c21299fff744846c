"""Calls to the Hugging Face Hub: tokens, time limits, and errors in one sentence.

`huggingface_hub` makes the calls, over `httpx2`.  It waits without limit for the look-up of a host name and in most
writing calls, and its errors quote requests; this module adds the time limits and rewrites the errors.  Both are
imported where they are used, so that the software starts without them and without a network.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from rewriting.installation import VERSION
from rewriting.processes import Progress

Token = str | bool | None
T = TypeVar("T")

PUBLIC = "REWRITING_PUBLIC"  # environment variable: set if other people reach the page
CONNECT = 3.0  # seconds for a connection to the Hub
PATIENCE = 8.0  # seconds for the answer to a small request
CACHED_PATIENCE = 3.0  # the same if the cache has a copy
LOWEST_RATE = 2_000  # bytes per second; slower uploads are given up, because the client reports no progress
LONGEST_WAIT = 60.0  # longest pause in seconds that the Hub may ask for
REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
REVISION = re.compile(r"\w[\w.+/-]{0,199}", re.ASCII)


class HubError(ValueError):
    """A failure with the Hub, as one sentence with the reason and the next step."""


class Unreachable(HubError):
    """The Hub did not answer, asked for a long pause, or was not asked because the software is offline."""


class Missing(HubError):
    """The repo does not exist, or the token may not see it."""


class Gated(HubError):
    """The repo is for people who accepted its conditions."""


@dataclass(frozen=True)
class Account:
    """The account of a token.  organizations: those that it is a member of."""

    name: str
    organizations: tuple[str, ...] = ()


# --- tokens ----------------------------------------------------------------------------------------------------------


def hosted() -> bool:
    """Whether the callers are visitors: on a hosted Space, or if `app.py` made the page public."""
    return bool(os.environ.get("SPACE_ID") or os.environ.get(PUBLIC))


def reading_token(token: Token) -> Token:
    """The token for reading; False for none.  None stands for the login of this machine and, on a hosted Space, for no
    token.  Raises HubError for a text that cannot be a token."""
    if isinstance(token, str):
        return _checked_token(token.strip(), "This token") or (False if hosted() else _login())
    if hosted() or token is False:
        return False
    return _login()


def writing_token(token: Token) -> str:
    """The token for writing: the given one or, except on a Space, that of `hf auth login`.  HubError without one."""
    token = reading_token(token)
    if isinstance(token, str):
        return token
    if hosted():
        raise HubError("Log in first: you publish under your own name, with your own token.")
    raise HubError("You are not logged in to the Hub; run `hf auth login`, or give a token with write access.")


def _login() -> str | bool:
    """The token of this machine's login; False without one."""
    from huggingface_hub import get_token

    where = "The token in HF_TOKEN" if os.environ.get("HF_TOKEN") else "The token that `hf auth login` stored"
    return _checked_token(get_token() or "", where) or False


def _checked_token(token: str, what: str) -> str:
    if not token.isascii():
        raise HubError(f"{what} has characters that no token of the Hub has; copy it again from the Hub's settings.")
    if token and not re.fullmatch(r"[!-~]+", token):
        raise HubError(f"{what} has spaces, unlike any token of the Hub; copy it again from the Hub's settings.")
    return token


def account(*, token: Token = None, endpoint: str | None = None) -> Account:
    """The account of a token: the given one or, except on a Space, that of `hf auth login`.

    Raises HubError without a token, for an invalid one, or if the Hub does not answer within some seconds.
    """
    return Access(writing_token(token), endpoint).ask("your account", _account)


def _account(api: Any) -> Account:
    data = api.whoami()
    organizations = [entry.get("name") for entry in data.get("orgs") or () if isinstance(entry, dict)]
    return Account(str(data["name"]), tuple(name for name in organizations if isinstance(name, str)))


# --- names -----------------------------------------------------------------------------------------------------------


def check_repo_id(repo_id: str) -> str:
    """Return a repo id.  Raises HubError unless it has the form namespace/name."""
    bad = not REPO_ID.fullmatch(repo_id) or "--" in repo_id or ".." in repo_id or repo_id.endswith((".git", "-", "."))
    if bad:
        raise HubError(
            f"{repo_id[:100]!r} is not the id of a repo; it has the form name/repo, of letters, digits, -, _ and dots."
        )
    return repo_id


def check_revision(revision: str | None) -> str:
    """Return a revision, or "main" for None.  Raises HubError for an impossible name."""
    if revision is None:
        return "main"
    if not REVISION.fullmatch(revision) or ".." in revision or "//" in revision:
        raise HubError(f"{revision[:100]!r} cannot be a revision; give a branch, a tag or a commit.")
    return revision


def host(endpoint: str | None) -> str:
    """The address of the Hub without a final slash.  Raises HubError for a text that is not an address."""
    from huggingface_hub import constants

    endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
    if not re.match(r"https?://[^/\s]+", endpoint):
        raise HubError(f"{endpoint[:100]!r} is not the address of a Hub; it starts with https://.")
    return endpoint


# --- calls -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Access:
    """The way to the Hub, one for all requests of a call.

    token: False for none; None for the login of this machine and, on a hosted Space, for none.  endpoint: address of
    another Hub.  cache_dir: folder for fetched files, by default the Hub's cache.  progress: called with (share done,
    sentence).
    """

    token: Token = field(default=None, repr=False)
    endpoint: str | None = None
    cache_dir: str | Path | None = None
    progress: Progress | None = None

    def say(self, share: float, sentence: str) -> None:
        """Report the progress."""
        if self.progress:
            self.progress(share, sentence)

    def ask(
        self,
        what: str,
        call: Callable[[Any], T],
        *,
        revision: str | None = None,
        seconds: float = PATIENCE + CONNECT,
        late: str | None = None,
        writing: bool = False,
        wait: float = LONGEST_WAIT,
    ) -> T:
        """Make a call with the Hub's client, and return its result.

        what: the subject of error messages, such as a repo id.  call: gets a `huggingface_hub.HfApi`.  late: error
        message after `seconds`.  wait: longest pause in seconds that the Hub may ask for before the call is repeated.
        Raises HubError for any exception, because the client parses answers without checking them.
        """
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError

        try:
            token, endpoint = reading_token(self.token), host(self.endpoint)
            api = HfApi(endpoint=endpoint, token=token, library_name="rewriting", library_version=VERSION)
            while True:
                try:
                    return bounded(seconds, partial(call, api), late or silence(endpoint))
                except HfHubHTTPError as error:
                    pause = asked_to_wait(error.response)
                    if pause is None or pause > wait:
                        raise
                time.sleep(pause)
                wait -= pause + 1
        except HubError:
            raise
        except Exception as error:
            raise explained(error, what, self.endpoint, revision, writing) from error


def headers(token: Token) -> dict[str, str]:
    """The headers of a request for which the client has no function."""
    from huggingface_hub.utils import build_hf_headers

    return build_hf_headers(token=token, library_name="rewriting", library_version=VERSION)


def bounded(seconds: float, call: Callable[[], T], late: str) -> T:
    """Make a call in a thread, and return its result.  Raises Unreachable with the sentence `late` after `seconds`.

    The client's own timeouts cover neither the look-up of a host name nor most writing calls.  A late call stays
    behind in its thread.
    """
    future = started(call)
    try:
        return future.result(seconds)
    except FutureTimeout:
        if future.done():  # a timeout inside the call
            raise
        raise Unreachable(late) from None


def started(call: Callable[[], T]) -> Future[T]:
    """Start a call in a daemon thread."""
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=work, daemon=True).start()
    return future


def asked_to_wait(response: Any) -> float | None:
    """The pause in seconds that a busy Hub asks for (Retry-After); None for any other answer."""
    value = response.headers.get("Retry-After", "")
    if response.status_code not in (429, 503) or not value:
        return None
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def patience(size: int) -> float:
    """The time limit in seconds for an upload of `size` bytes."""
    return 30 + size / LOWEST_RATE


def timeout(seconds: float) -> Any:
    """A timeout for the client: `seconds` for an answer, and at most CONNECT for a connection."""
    import httpx2

    return httpx2.Timeout(seconds, connect=min(CONNECT, seconds))


def proxy(endpoint: str | None) -> str:
    """The environment variable that sets a proxy for the Hub; "" without one."""
    address = urlsplit(host(endpoint))
    names = [case(name) for name in (f"{address.scheme}_proxy", "all_proxy") for case in (str.lower, str.upper)]
    setting = next((name for name in names if os.environ.get(name)), "")
    return "" if setting and proxy_bypass(address.hostname or "") else setting


# --- errors ----------------------------------------------------------------------------------------------------------


def silence(endpoint: str | None) -> str:
    if setting := proxy(endpoint):
        return (
            f"The Hub at {host(endpoint)} does not answer through the proxy that {setting} names; check that, or "
            f"unset it, and try again."
        )
    return f"The Hub at {host(endpoint)} does not answer; check the connection and try again."


def explained(
    error: Exception, what: str, endpoint: str | None, revision: str | None = None, writing: bool = False
) -> HubError:
    """The error as a HubError of one sentence, without the client's words or the request."""
    import httpx2
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return Gated(
            f"{what} is for people who accepted its conditions: open {host(endpoint)}/{what}, accept them, and use a "
            f"token of that account."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return HubError(
            f"{what} has no revision {revision or 'main'!r}; give a branch, a tag or a commit that it has."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        return Missing(f"There is no repo {what} that you can see; check its name or, if it is private, log in.")
    if isinstance(error, errors.EntryNotFoundError) and not isinstance(error, errors.LocalEntryNotFoundError):
        return HubError(f"A file of {what} is gone from the Hub; open the repo there to see its present files.")
    if isinstance(error, errors.OfflineModeIsEnabled):
        return Unreachable("The Hub is switched off here (HF_HUB_OFFLINE); unset that, or use files on this machine.")
    if isinstance(error, errors.HfHubHTTPError):
        return _refused(error, what, endpoint, writing)
    if isinstance(error, (httpx2.TransportError, ConnectionError, TimeoutError)):
        return Unreachable(silence(endpoint))
    if isinstance(error, (ImportError, ValueError, httpx2.InvalidURL)) and (fault := _unusable_proxy(endpoint)):
        return Unreachable(fault)
    if isinstance(error.__cause__, Exception):  # such as the client's "Error while uploading ..."
        return explained(error.__cause__, what, endpoint, revision, writing)
    return HubError(
        f"The Hub at {host(endpoint)} sent an unreadable answer about {what}; try again later, or check "
        f"HF_ENDPOINT if you set it."
    )


def _unusable_proxy(endpoint: str | None) -> str:
    """A sentence on a proxy setting that the client cannot use; "" if it can."""
    import httpx2

    if not (setting := proxy(endpoint)):
        return ""
    try:
        httpx2.Client().close()
    except ImportError:
        return (
            f"{setting} names a SOCKS proxy, for which the package socksio is missing; install it, or unset {setting}."
        )
    except Exception:
        return f"{setting} does not hold the address of a proxy, such as http://proxy:3128; correct or unset it."
    return ""


def _refused(error: Any, what: str, endpoint: str | None, writing: bool) -> HubError:
    status, reason = error.response.status_code, _words(error.server_message)
    if status >= 500:
        through = f", or the proxy that {setting} names," if (setting := proxy(endpoint)) else ""
        return Unreachable(f"The Hub at {host(endpoint)}{through} has a fault of its own ({status}); try again later.")
    if status == 429:
        return Unreachable("The Hub asks for fewer requests; wait some minutes and try again.")
    sentences = {
        401: "The Hub does not accept this token; log in again with `hf auth login`, or give another.",
    }
    if writing:
        allowed = (  # by the scopes in README.md
            f"The login of this Space may not do that with {what}{reason}; it can create repos, change those that it "
            f"created, and open pull requests."
        )
        sentences |= {
            402: f"The Hub asks for a paid plan before it does this with {what}{reason}.",
            403: allowed
            if os.environ.get("SPACE_ID")
            else f"This token may not do that with {what}{reason}; use a name of your own and a token with write "
            f"access, or open a pull request.",
            409: f"{what} exists already, or is being created now; look at it, then publish again to update it.",
            412: f"{what} changed during the upload; look at it on the Hub, then publish again.",
            413: f"This is too large for {what} on the Hub{reason}; publish the rule instead of the whole model.",
        }
    elif status == 403:
        return HubError(f"This token may not read {what}{reason}; use another, or none if it is public.")
    return HubError(
        sentences.get(status) or f"The Hub answers {status} for {what}{reason}; open the repo there for details."
    )


def _words(message: str | None, most: int = 160) -> str:
    """The Hub's own message in brackets, " (…)", for use in a sentence; "" if it quotes a request."""
    words = " ".join(str(message or "").split()).rstrip(".")
    if not words or "://" in words or "<" in words:
        return ""
    return f" ({words})" if len(words) <= most else f" ({words[: most - 1]}…)"
