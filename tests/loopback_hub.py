"""A Hugging Face Hub on 127.0.0.1 that speaks the real protocol, as far as the client of `huggingface_hub` uses it.

    with LoopbackHub() as hub:
        token = hub.add_user("alice")
        hub.add_repo("alice/rule", {"config.json": b"{}"}, private=True)
        HfApi(endpoint=hub.url, token=token).model_info("alice/rule")

Large files go by LFS, as where xet is disabled.  Failures are ordered with `hub.fail`; `hub.requests` tells what was
asked, and with whose token.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.loopback_repos import LFS_NAMES, Asked, Commit, Failure, File, Repo, User, front_matter, judge


class Refusal(Exception):
    """An answer that is an error, as the Hub words it."""

    def __init__(self, status: int, message: str, code: str | None = None):
        headers = {"X-Request-Id": "loopback", "X-Error-Message": message}
        headers |= {"X-Error-Code": code} if code else {}
        self.response = JSONResponse({"error": message}, status, headers)


class LoopbackHub:
    """The server, in a thread of its own, between `with` and its end."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.users: dict[str, User] = {}
        self.objects: dict[str, bytes] = {}
        self.requests: list[Asked] = []
        self.failures: list[Failure] = []
        self._numbers = count(1)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(self._application(), log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    def __enter__(self) -> LoopbackHub:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the loopback Hub did not start")
            self._thread.join(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    # --- what a test arranges and looks at --------------------------------------------------------------------------

    def add_user(self, name: str, *, role: str = "write", organizations: tuple[str, ...] = ()) -> str:
        """A new user's token."""
        token = f"hf_{name}_{next(self._numbers)}"
        self.users[token] = User(name, role, organizations)
        return token

    def add_repo(self, name: str, files: Mapping[str, bytes | File], *, kind: str = "model", **options: Any) -> Repo:
        """A repo with one commit.  options: private, gated, admitted."""
        repo = self.repos[kind, name] = Repo(name, kind, **options)
        self._commit(repo, {path: self._file(path, data) for path, data in files.items()}, "initial commit")
        return repo

    def repo(self, name: str, kind: str = "model") -> Repo:
        return self.repos[kind, name]

    def fail(self, where: str, **how: Any) -> Failure:
        """Order a failure, see `Failure`; `heal` takes all of them back."""
        self.failures.append(Failure(where, **how))
        return self.failures[-1]

    def heal(self) -> None:
        self.failures.clear()

    def asked(self, where: str) -> list[Asked]:
        """The requests whose "METHOD path" matches."""
        return [one for one in self.requests if re.search(where, f"{one.method} {one.path}")]

    def _file(self, path: str, data: bytes | File) -> File:
        file = data if isinstance(data, File) else File(data, path.endswith(LFS_NAMES))
        if file.lfs:
            self.objects[file.sha256] = file.data
        return file

    def _commit(self, repo: Repo, files: Mapping[str, File], title: str) -> Commit:
        sha = hashlib.sha1(f"{repo.kind} {repo.name} {title} {next(self._numbers)}".encode()).hexdigest()
        commit = Commit(sha, dict(files), title)
        repo.commits.append(commit)
        return commit

    # --- the server -------------------------------------------------------------------------------------------------

    def _application(self) -> Callable:
        api, large = "/api/{kind}s/{space}/{name}", "/{space}/{name}.git/info/lfs/objects/batch"
        routes = [
            ("GET", "/api/whoami-v2", self.whoami),
            ("POST", "/api/repos/create", self.create),
            ("DELETE", "/api/repos/delete", self.delete),
            ("POST", "/api/validate-yaml", self.validate_yaml),
            ("GET", "/api/models", self.list_models),
            ("GET", api, self.info),
            ("GET", api + "/revision/{revision:path}", self.info),
            ("GET", api + "/tree/{revision:path}", self.tree),
            ("GET", api + "/refs", self.refs),
            ("POST", api + "/preupload/{revision:path}", self.preupload),
            ("POST", api + "/commit/{revision:path}", self.commit),
            ("POST", "/spaces" + large, self.lfs_batch),
            ("POST", large, self.lfs_batch),
            ("PUT", "/lfs/{oid}", self.lfs_put),
            ("POST", "/lfs-verify", self.lfs_verify),
            ("GET", "/cdn/{oid}", self.cdn),
            ("GET", "/spaces/{space}/{name}/resolve/{revision}/{path:path}", self.resolve_space),
            ("GET", "/{space}/{name}/resolve/{revision}/{path:path}", self.resolve),
        ]
        app = Starlette(routes=[Route(path, self._answered(run), methods=[method]) for method, path, run in routes])
        return self._failing(app)

    def _answered(self, run: Callable) -> Callable:
        async def answer(request: Request) -> Response:
            try:
                return await run(request)
            except Refusal as refusal:
                return refusal.response

        return answer

    def _failing(self, app: Callable) -> Callable:
        """Notes every request, and lets it fail as was ordered."""

        async def run(scope: dict, receive: Callable, send: Callable) -> None:
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            token = headers.get("authorization", "").removeprefix("Bearer ")
            self.requests.append(Asked(scope["method"], scope["path"], token, headers.get("range", "")))
            failure = self._ordered(f"{scope['method']} {scope['path']}")
            if failure is None:
                return await app(scope, receive, send)
            if failure.then:
                failure.then()
            await asyncio.sleep(failure.slow)
            if failure.status or failure.body is not None:
                answer = Response(failure.body or b"", failure.status or 200, dict(failure.headers))
                return await answer(scope, receive, send)
            if failure.drop:
                return await Response(b"lost")(scope, receive, _cut(send, 0))
            if failure.cut is not None:
                send = _cut(send, failure.cut)
            if failure.pace:
                send = _paced(send, *failure.pace)
            if failure.flip is not None:
                send = _flipped(send, failure.flip)
            return await app(scope, receive, send)

        return run

    def _ordered(self, request: str) -> Failure | None:
        for failure in self.failures:
            if failure.times > 0 and re.search(failure.where, request):
                failure.times -= 1
                return failure
        return None

    # --- who may do what --------------------------------------------------------------------------------------------

    def _user(self, request: Request, *, needed: bool = False) -> User | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.users:
            raise Refusal(401, "Invalid credentials in Authorization header")
        if needed and not token:
            raise Refusal(401, "Invalid username or password.")
        return self.users.get(token)

    def _readable(self, request: Request, kind: str | None = None) -> Repo:
        user, path = self._user(request), request.path_params
        repo = self.repos.get((kind or path.get("kind", "model"), f"{path['space']}/{path['name']}"))
        if repo is None or (repo.private and not self._is_member(user, repo)):
            raise Refusal(404 if user else 401, "Repository not found", "RepoNotFound")
        return repo

    def _is_member(self, user: User | None, repo: Repo) -> bool:
        return user is not None and repo.name.partition("/")[0] in (user.name, *user.organizations)

    def _writable(self, request: Request, kind: str | None = None) -> Repo:
        repo, user = self._readable(request, kind), self._user(request, needed=True)
        opens_pr = request.query_params.get("create_pr") == "1"
        if user.role != "write" or not (opens_pr or self._is_member(user, repo)):
            raise Refusal(403, "Forbidden: you must use a write token to upload to a repository.")
        return repo

    def _commit_at(self, repo: Repo, request: Request) -> Commit:
        commit = repo.at(request.path_params.get("revision", "main"))
        if commit is None:
            raise Refusal(404, "Invalid rev id", "RevisionNotFound")
        return commit

    # --- the API ----------------------------------------------------------------------------------------------------

    async def whoami(self, request: Request) -> Response:
        user = self._user(request, needed=True)
        organizations = [{"type": "org", "name": name, "roleInOrg": "write"} for name in user.organizations]
        auth = {"type": "access_token", "accessToken": {"displayName": "t", "role": user.role}}
        return JSONResponse({"type": "user", "name": user.name, "orgs": organizations, "auth": auth})

    async def create(self, request: Request) -> Response:
        user, asked = self._user(request, needed=True), await request.json()
        kind, space = asked.get("type", "model"), asked.get("organization") or user.name
        if user.role != "write" or space not in (user.name, *user.organizations):
            raise Refusal(403, f'You don\'t have the rights to create a {kind} under the namespace "{space}".')
        name = f"{space}/{asked['name']}"
        url = f"{self.url}/{'spaces/' if kind == 'space' else ''}{name}"
        if (kind, name) in self.repos:
            return JSONResponse({"error": f"You already created this {kind} repo", "url": url}, 409)
        private = asked.get("visibility") == "private"
        repo = self.add_repo(name, {".gitattributes": b"*.safetensors filter=lfs\n"}, kind=kind, private=private)
        repo.created_with = asked
        return JSONResponse({"url": url, "name": name})

    async def delete(self, request: Request) -> Response:
        user, asked = self._user(request, needed=True), await request.json()
        kind, name = asked.get("type") or "model", f"{asked.get('organization') or user.name}/{asked['name']}"
        if user.role != "write" or not self._is_member(user, self.repos[kind, name]):
            raise Refusal(403, "You don't have the rights to delete this repo.")
        del self.repos[kind, name]
        return Response()

    async def validate_yaml(self, request: Request) -> Response:
        asked = await request.json()
        return JSONResponse(*judge(asked["content"], asked["repoType"]))

    async def list_models(self, request: Request) -> Response:
        asked, user = request.query_params, self._user(request)
        found = []
        for repo in reversed(self.repos.values()):
            visible = repo.kind == "model" and (not repo.private or self._is_member(user, repo))
            author, search = asked.get("author"), asked.get("search", "")
            if visible and search in repo.name and author in (None, repo.name.partition("/")[0]):
                described = self._described(repo, repo.head)
                if set(asked.getlist("filter")) <= set(described["tags"]):
                    found.append(described)
        return JSONResponse(found[: int(asked.get("limit", 1000))])

    async def info(self, request: Request) -> Response:
        repo = self._readable(request)
        commit = self._commit_at(repo, request)
        files = [{"rfilename": path, **file.described()} for path, file in sorted(commit.files.items())]
        return JSONResponse(self._described(repo, commit) | {"siblings": files})

    async def refs(self, request: Request) -> Response:
        repo = self._readable(request)

        def listed(kind: str, named: Mapping[str, Commit]) -> list[dict[str, str]]:
            return [{"name": n, "ref": f"refs/{kind}/{n}", "targetCommit": commit.sha} for n, commit in named.items()]

        branches = listed("heads", {"main": repo.head, **repo.branches})
        return JSONResponse({"branches": branches, "tags": listed("tags", repo.tags), "converts": []})

    async def tree(self, request: Request) -> Response:
        commit = self._commit_at(self._readable(request), request)
        folders = {path.rpartition("/")[0] for path in commit.files} - {""}
        found = [{"type": "directory", "path": folder, "oid": "0" * 40, "size": 0} for folder in sorted(folders)]
        for path, file in sorted(commit.files.items()):
            described = {key: value for key, value in file.described().items() if key != "blobId"}
            found.append({"type": "file", "path": path, **described})
        return JSONResponse(found)

    def _described(self, repo: Repo, commit: Commit) -> dict[str, Any]:
        card = front_matter(commit.files["README.md"].data.decode()) if "README.md" in commit.files else {}
        tags, base = list(card.get("tags") or ()), card.get("base_model")
        tags += [f"license:{card['license']}"] if "license" in card else []
        tags += [f"base_model:{base}", f"base_model:{card.get('base_model_relation')}:{base}"] if base else []
        dates = dict.fromkeys(("createdAt", "lastModified"), "2026-01-01T00:00:00.000Z")
        known = {"id": repo.name, "sha": commit.sha, "private": repo.private, "likes": 0, "downloads": 0}
        return {
            **known,
            **dates,
            "tags": tags,
            "cardData": card,
            "gated": "auto" if repo.gated else False,
            "author": repo.name.split("/")[0],
        }

    # --- writing ----------------------------------------------------------------------------------------------------

    async def preupload(self, request: Request) -> Response:
        repo, asked = self._writable(request), await request.json()
        held = self._commit_at(repo, request).files
        answers = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["path"].endswith(LFS_NAMES) else "regular",
                "shouldIgnore": False,
                "oid": held[one["path"]].oid if one["path"] in held else None,
            }
            for one in asked["files"]
        ]
        return JSONResponse({"files": answers, "commitOid": repo.head.sha})

    async def lfs_batch(self, request: Request) -> Response:
        self._user(request, needed=True)
        objects = []
        for one in (await request.json())["objects"]:
            actions = {
                "upload": {"href": f"{self.url}/lfs/{one['oid']}"},
                "verify": {"href": f"{self.url}/lfs-verify"},
            }
            objects.append(one if one["oid"] in self.objects else one | {"actions": actions})
        return JSONResponse({"transfer": "basic", "objects": objects}, media_type="application/vnd.git-lfs+json")

    async def lfs_put(self, request: Request) -> Response:
        data, oid = await request.body(), request.path_params["oid"]
        if hashlib.sha256(data).hexdigest() != oid:
            return Response("the content has another sha256", 400)
        self.objects[oid] = data
        return Response(headers={"ETag": f'"{oid}"'})

    async def lfs_verify(self, request: Request) -> Response:
        asked = await request.json()
        return JSONResponse({}, 200 if len(self.objects.get(asked["oid"], b"")) == asked["size"] else 400)

    async def commit(self, request: Request) -> Response:
        repo, lines = self._writable(request), (await request.body()).splitlines()
        parent, header = self._commit_at(repo, request), {}
        files = dict(parent.files)
        for line in map(json.loads, lines):
            value = line["value"]
            if line["key"] == "header":
                header = value
            elif line["key"] == "file":
                files[value["path"]] = File(base64.b64decode(value["content"]), lfs=False)
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.objects:
                    raise Refusal(400, "LFS pointer pointed to a file that does not exist")
                files[value["path"]] = File(self.objects[value["oid"]], lfs=True)
            elif files.pop(value["path"], None) is None:  # deletedFile
                raise Refusal(404, "A file with this name doesn't exist", "EntryNotFound")
        if header.get("parentCommit", parent.sha) != parent.sha:
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        if "README.md" in files:
            answer, status = judge(files["README.md"].data.decode(), repo.kind)
            if status != 200:
                return JSONResponse(answer, status)
        return self._committed(repo, files, header["summary"], request.query_params.get("create_pr") == "1")

    def _committed(self, repo: Repo, files: Mapping[str, File], title: str, create_pr: bool) -> Response:
        commit, extra = self._commit(repo, files, title), {}
        if create_pr:
            number = len(repo.pulls) + 1
            repo.pulls[number] = repo.commits.pop()
            extra = {"pullRequestUrl": f"{self.url}/{repo.name}/discussions/{number}"}
        url = f"{self.url}/{repo.name}/commit/{commit.sha}"
        return JSONResponse({"success": True, "commitOid": commit.sha, "commitUrl": url, **extra})

    # --- reading files ----------------------------------------------------------------------------------------------

    async def resolve_space(self, request: Request) -> Response:
        return await self.resolve(request, "space")

    async def resolve(self, request: Request, kind: str = "model") -> Response:
        repo, user = self._readable(request, kind), self._user(request)
        if repo.gated and (user is None or user.name not in repo.admitted):
            raise Refusal(403 if user else 401, f"Access to model {repo.name} is restricted.", "GatedRepo")
        commit, path = self._commit_at(repo, request), request.path_params["path"]
        if path not in commit.files:
            raise Refusal(404, "Entry not found", "EntryNotFound")
        file = commit.files[path]
        headers = {"X-Repo-Commit": commit.sha, "ETag": f'"{file.oid}"'}
        if file.lfs:  # another host, as the Hub's: there the client must send no token
            linked = {"X-Linked-Etag": f'"{file.oid}"', "X-Linked-Size": str(file.size)}
            port = self.url.rpartition(":")[2]
            return Response(
                status_code=302, headers={**headers, **linked, "Location": f"http://localhost:{port}/cdn/{file.oid}"}
            )
        return _sent(request, file, headers)

    async def cdn(self, request: Request) -> Response:
        oid = request.path_params["oid"]
        return _sent(request, File(self.objects[oid], lfs=True), {"ETag": f'"{oid}"'})


def _sent(request: Request, file: File, headers: dict[str, str]) -> Response:
    """A file, or the rest of it that was asked for."""
    headers = headers | {"Accept-Ranges": "bytes"}
    if request.method == "HEAD":
        return Response(headers=headers | {"Content-Length": str(file.size)})
    if asked := re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", "")):
        start, size = int(asked[1]), len(file.data)
        headers["Content-Range"] = f"bytes {start}-{size - 1}/{size}"
        return Response(file.data[start:], 206, headers)
    if file.claimed is not None:  # announces that, or nothing where more would come than announced
        lie = {"Content-Length": str(file.claimed)} if file.claimed > len(file.data) else {}
        return StreamingResponse(iter([file.data]), headers=headers | lie)
    return Response(file.data, headers=headers)


def _cut(send: Callable, after: int) -> Callable:
    """Announces the whole answer, sends so many bytes of its body, and breaks the connection."""

    async def cut(message: dict) -> None:
        if message["type"] == "http.response.body":
            await send({"type": "http.response.body", "body": message["body"][:after], "more_body": True})
            raise ConnectionResetError("cut, as ordered")
        await send(message)

    return cut


def _paced(send: Callable, size: int, seconds: float) -> Callable:
    """Sends the body in pieces."""

    async def paced(message: dict) -> None:
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or not body:
            return await send(message)
        for start in range(0, len(body), size):
            await asyncio.sleep(seconds)
            more = message.get("more_body", False) or start + size < len(body)
            await send({**message, "body": body[start : start + size], "more_body": more})

    return paced


def _flipped(send: Callable, place: int) -> Callable:
    """Sends another byte in one place of the body."""

    async def flipped(message: dict) -> None:
        body = message.get("body", b"")
        if len(body) > place:
            message = {**message, "body": body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]}
        await send(message)

    return flipped
