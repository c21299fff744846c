"""`push` and `deploy`: publish on the Hugging Face Hub."""

from __future__ import annotations

import argparse
from typing import Any

from rewriting.cli.options import command
from rewriting.cli.progress import Progress

PUSH_EXAMPLES = """
# log in once with `hf auth login`, then publish a rule or a whole generator
python -m rewriting push my-rule --repo your-name/hats-for-horses
python -m rewriting push my-church --repo your-name/my-church --private

# offer a better version of somebody else's rule
python -m rewriting push my-rule --repo somebody/their-rule --pull-request
"""
DEPLOY_EXAMPLES = """
python -m rewriting deploy --space your-name/rewriting
python -m rewriting deploy --space your-name/rewriting --hardware cpu-basic
"""


def add_commands(commands: Any) -> None:
    parser = command(commands, "push", push, "Publish an edit folder or a generator folder on the Hub.", PUSH_EXAMPLES)
    parser.add_argument("folder", metavar="DIR", help="a folder from `apply`, `merge` or `convert`")
    parser.add_argument("--repo", required=True, metavar="USER/NAME", help="repo to publish to; a missing one is made")
    parser.add_argument("--pull-request", action="store_true", help="open a pull request instead of a commit")
    parser.add_argument(
        "--pictures",
        action="store_true",
        help="also publish your own pictures in the rule's request; without them the rule works, but nobody can "
        "edit it",
    )
    _add_access(parser)

    parser = command(
        commands, "deploy", deploy, "Create or update a Space on the Hub that runs the studio.", DEPLOY_EXAMPLES
    )
    parser.add_argument(
        "--space", required=True, metavar="USER/NAME", help="Space to deploy to; a missing one is made"
    )
    parser.add_argument("--title", metavar="TEXT", help="title of the Space (default: the title in README.md)")
    parser.add_argument(
        "--hardware", metavar="H", help="hardware of a new Space, such as cpu-basic (default: ZeroGPU)"
    )
    parser.add_argument(
        "--torch-index",
        metavar="ADDRESS",
        help="package index with PyTorch for CPUs, which saves gigabytes on hardware without a GPU",
    )
    _add_access(parser)


def _add_access(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--private", action="store_true", default=None, help="make a new repo private")
    parser.add_argument("--token", help="token with write access (default: the one of `hf auth login`, or HF_TOKEN)")
    parser.add_argument("--message", metavar="TEXT", help="message of the commit")


def push(options: argparse.Namespace) -> None:
    from rewriting.hub import publish_folder

    with Progress() as progress:
        published = publish_folder(
            options.folder,
            options.repo,
            private=options.private,
            create_pr=options.pull_request,
            pictures=options.pictures,
            message=options.message,
            token=options.token,
            progress=progress,
        )
    print(published)


def deploy(options: argparse.Namespace) -> None:
    from rewriting import hub

    chosen = {name: getattr(options, name) for name in ("hardware", "message", "title", "torch_index")}
    with Progress() as progress:
        published = hub.deploy(
            options.space,
            private=options.private,
            token=options.token,
            progress=progress,
            **{name: value for name, value in chosen.items() if value is not None},
        )
    print(published)
