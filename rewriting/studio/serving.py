"""What the studio's server needs of the machine: an address to listen on, calls to itself, and a folder for files.

Import nothing of gradio here: it reads its environment as it is imported.
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

NAME, PORT, FOLDER = "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT", "GRADIO_TEMP_DIR"  # what people set for gradio
HERE = "127.0.0.1"
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container on Linux


def room_for_results() -> int:
    """Bytes of memory for what may be asked for again: a sixteenth of what this machine has, or this container may
    take, from 256 MiB to 1 GiB; 512 MiB where the system does not tell."""
    told = []
    with suppress(AttributeError, ValueError, OSError):
        told.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for limit in LIMITS:
        with suppress(ValueError, OSError):  # "max" where there is none
            told.append(int(Path(limit).read_text()))
    return min(max(min(told) // 16, 256 << 20), 1 << 30) if told else 512 << 20


def server_name(name: str) -> str:
    """The address to listen on, as gradio takes it: an IPv6 address in brackets.  name: with brackets or without, or
    the name of a host; "" for this machine alone.

    Raises OSError in one sentence if it is no address of this machine.
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
    """Whether other machines may reach what listens there.  name: from `server_name`."""
    try:
        return not ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name != "localhost"


@contextmanager
def without_proxies(*hosts: str) -> Iterator[None]:
    """While it lasts, calls to these hosts go to them directly; without hosts, all calls."""
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
    """Raises OSError in one sentence if what gives the page a public address cannot be reached as it is set here."""
    try:
        httpx.Client().close()
    except Exception:  # a package for SOCKS is missing, or it is no address
        raise OSError(
            "--share cannot use the proxy that is set here: give one like http://proxy:3128, install socksio for a "
            "SOCKS proxy, or unset it."
        ) from None


@contextmanager
def folder_for_files() -> Iterator[None]:
    """While it lasts, what is uploaded and saved lies in a folder of this process, or where GRADIO_TEMP_DIR says.

    gradio's own choice is one folder for all users of a machine, of whom the first owns it.  Raises OSError in one
    sentence if nothing can be written there.
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
