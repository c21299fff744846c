"""How the tests come by a browser: which way is taken on which machine, with stand-ins for what is there."""

import sys
from dataclasses import dataclass, field

import pytest

from tests import chromium, tiny

PLAYWRIGHTS, LIBRARIES = "playwright install", "playwright install-deps"
DEBIANS, UBUNTUS = "apt-get install chromium", "apt-get install chromium-browser"


@dataclass
class Machine:
    """A stand-in for this machine.

    on_path: browsers that are there.  has: commands that succeed.  lacks_libraries: whether what was fetched does not
    start without them.  did: the commands that were tried.
    """

    on_path: set[str] = field(default_factory=set)
    root: bool = False
    apt: bool = True
    has: tuple[str, ...] = ()
    lacks_libraries: bool = False
    broken: tuple[str, ...] = ()
    did: list[str] = field(default_factory=list)

    def which(self, name):
        return f"/bin/{name}" if name in self.on_path or (name == "apt-get" and self.apt) else None

    def run(self, program, *words):
        name = "playwright" if program == sys.executable else program
        words = [word for word in words if word not in ("-m", "playwright", "-o") and "::" not in word]
        verb, *rest = (word for word in words if not word.startswith("--"))
        command = f"{name} {verb}" if name == "playwright" or not rest else f"{name} {verb} {rest[0]}"
        self.did.append(command)
        if command in self.has and name == "apt-get" and rest:
            self.on_path.add(rest[0])
        return command in self.has

    def starts(self, found):
        if found == chromium.OWN:
            return PLAYWRIGHTS in self.did and PLAYWRIGHTS in self.has and self.complete
        return found["executable_path"].removeprefix("/bin/") in self.on_path - set(self.broken)

    @property
    def complete(self):
        return not self.lacks_libraries or (LIBRARIES in self.did and LIBRARIES in self.has)


@pytest.fixture
def on(monkeypatch):
    """Ask for a browser on that machine."""

    def ask(machine):
        monkeypatch.setattr(chromium.shutil, "which", machine.which)
        monkeypatch.setattr(chromium.os, "geteuid", lambda: 0 if machine.root else 1000)
        monkeypatch.setattr(chromium, "run", machine.run)
        monkeypatch.setattr(chromium, "starts", machine.starts)
        chromium._found.cache_clear()
        return chromium.launch_options()

    yield ask
    chromium._found.cache_clear()


@pytest.mark.parametrize("name", chromium.NAMES)
def test_a_browser_that_is_there_is_taken_and_nothing_is_fetched(on, name):
    machine = Machine({name}, root=True)
    assert on(machine) == {"executable_path": f"/bin/{name}"} and not machine.did


def test_one_that_does_not_start_is_passed_over(on):
    machine = Machine({"chromium-browser", "google-chrome"}, broken=("chromium-browser",))
    assert on(machine) == {"executable_path": "/bin/google-chrome"} and not machine.did


@pytest.mark.parametrize("root", [True, False])
def test_playwrights_own_is_fetched_first(on, root):
    machine = Machine(root=root, has=(PLAYWRIGHTS, "apt-get update", DEBIANS))
    assert on(machine) == chromium.OWN and machine.did == [PLAYWRIGHTS]


def test_libraries_that_it_needs_are_installed_by_root(on):
    machine = Machine(root=True, lacks_libraries=True, has=(PLAYWRIGHTS, LIBRARIES))
    assert on(machine) == chromium.OWN and machine.did == [PLAYWRIGHTS, LIBRARIES]


@pytest.mark.parametrize("fetched", [(), (PLAYWRIGHTS,)])
@pytest.mark.parametrize(("package", "tried"), [(DEBIANS, [DEBIANS]), (UBUNTUS, [DEBIANS, UBUNTUS])])
def test_otherwise_root_installs_the_distributions_package(on, package, tried, fetched):
    machine = Machine(root=True, lacks_libraries=True, has=("apt-get update", package, *fetched))
    assert on(machine) == {"executable_path": f"/bin/{package.split()[-1]}"}
    before = [PLAYWRIGHTS, LIBRARIES] if fetched else [PLAYWRIGHTS]
    assert machine.did == [*before, "apt-get update", *tried]


@pytest.mark.parametrize("machine", [Machine(root=True, apt=False), Machine(has=(DEBIANS,)), Machine(root=True)])
def test_where_there_is_no_way_each_test_fails_with_one_sentence(on, machine):
    with pytest.raises(RuntimeError) as raised:
        on(machine)
    assert "install Chromium" in str(raised.value) and tiny.is_one_sentence(str(raised.value))
    tried = list(machine.did)
    with pytest.raises(RuntimeError):
        chromium.launch_options()
    assert machine.did == tried and len(tried) == (4 if machine.root and machine.apt else 1)  # not for every test


def test_who_waited_for_another_process_takes_what_that_one_brought(on, monkeypatch):
    machine = Machine()

    class Meanwhile:
        def __enter__(self):
            machine.on_path.add("chromium")

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(chromium, "_alone", Meanwhile)
    assert on(machine) == {"executable_path": "/bin/chromium"} and not machine.did


def test_a_command_that_is_missing_fails_or_takes_too_long_did_not_succeed(monkeypatch):
    assert chromium.run(sys.executable, "-c", "")
    assert not chromium.run(sys.executable, "-c", "raise SystemExit(3)")
    assert not chromium.run("no-such-program")
    monkeypatch.setattr(chromium, "SECONDS", 0.1)
    assert not chromium.run(sys.executable, "-c", "import time; time.sleep(60)")


def test_the_browser_of_this_machine_starts():
    assert chromium.starts(chromium.launch_options())
    assert not chromium.starts({"executable_path": "/no/such/browser"})
