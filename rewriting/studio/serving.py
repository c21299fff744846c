"""The studio's server on this machine: its address, its calls to itself, its folder for files, and its memory.

This module must not import gradio, which reads its environment at import.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

NAME, PORT, FOLDER = "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "GRADIO_TEMP_DIR"  # environment variables
HERE = "127.0.0.1"
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a Linux container


def room_for_results() -> int:
    """The size of the cache in bytes: 1/32 of the memory of this machine or container, from 256 MiB to 512 MiB.

    256 MiB if the system does not report its memory."""
    told = []
    with suppress(AttributeError, ValueError, OSError):
        told.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for limit in LIMITS:
        with suppress(ValueError, OSError):  # "max" means no limit
            told.append(int(Path(limit).read_text()))
    return min(max(min(told, default=0) // 32, 256 << 20), 512 << 20)


def server_name(name: str) -> str:
    """The address to listen on, in gradio's form, with an IPv6 address in brackets.

    name: an address, an IPv6 address with or without brackets, or a host name; "" for this machine alone.
    Raises OSError in one sentence if it is not an address of this machine.
    """
    name = name.strip()
    host = (name[1:-1] if name.startswith("[") and name.endswith("]") else name) or HERE
    if not _can_listen(host):
        raise OSError(
            f"{NAME} is {name[:100]!r}, which is not an address of this machine; give {HERE} for this machine alone, "
            f"or 0.0.0.0 for other machines too."
        )
    return f"[{host}]" if ":" in host else host


def _can_listen(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        return False
    for family, kind, protocol, _, where in found:
        try:
            with socket.socket(family, kind, protocol) as server:
                server.bind(where)
                return True
        except OSError:
            continue
    return False


def reached_by_others(name: str) -> bool:
    """Whether other machines may reach a server at this address.  name: from `server_name`."""
    try:
        return not ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name != "localhost"


@contextmanager
def without_proxies(*hosts: str) -> Iterator[None]:
    """Inside this context, calls to these hosts bypass proxies; without hosts, all calls do."""
    names = "no_proxy", "NO_PROXY"
    before = {name: os.environ.get(name) for name in names}
    spared = [value for value in before.values() if value]
    os.environ |= dict.fromkeys(names, ",".join([*hosts, *spared]) if hosts else "*")
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def check_proxies() -> None:
    """Raise OSError in one sentence if the proxy settings prevent calls to gradio's service for public addresses."""
    try:
        httpx.Client().close()
    except Exception:  # the package for SOCKS is missing, or the setting is not an address
        raise OSError(
            "--share cannot use the proxy that is set here: give one like http://proxy:3128, install socksio for a "
            "SOCKS proxy, or unset it."
        ) from None


@contextmanager
def folder_for_files() -> Iterator[None]:
    """Inside this context, uploads and saved files go to a folder of this process, or to GRADIO_TEMP_DIR.

    gradio's default is one folder for all users of a machine, owned by the first of them.  Raises OSError in one
    sentence if the folder is not writable.
    """
    if named := os.environ.get(FOLDER):
        try:
            Path(named).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=named):
                pass
        except OSError:
            raise OSError(f"{FOLDER} is {named[:200]!r}, which is not writable; correct or unset it.") from None
        yield
        return
    try:
        own = tempfile.TemporaryDirectory(prefix="rewriting-studio-", ignore_cleanup_errors=True)
    except OSError:
        raise OSError("No folder for temporary files is writable; set TMPDIR to a writable folder.") from None
    with own as folder:
        os.environ[FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[FOLDER]
