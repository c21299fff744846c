"""What pyproject.toml cannot say: which data go into the package, and what is optional."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithData(build_py):
    """Puts generators and presets into the package, where `rewriting.installation` looks for them."""

    def run(self) -> None:
        super().run()
        for name in [] if self.editable_mode else data():
            copy = Path(self.build_lib, "rewriting", "data", name)
            self.mkpath(str(copy.parent))
            self.copy_file(name, str(copy))


def data() -> list[str]:
    """Paths of the files in the checkout.  Segmenters stay there: only experiments use them."""
    folders = [
        path.parent for path in (*Path("weights").glob("*/config.json"), *Path("presets").glob("*/request.json"))
    ]
    found = [path for folder in folders for path in folder.iterdir() if not path.name.startswith("segmenter.")]
    return ["LICENSE", *sorted(map(str, found))]


def packages(requirements: str) -> list[str]:
    """What a file asks for, apart from other such files."""
    return [line for line in Path(requirements).read_text().splitlines() if not line.startswith("-r")]


setup(
    cmdclass={"build_py": WithData},
    extras_require={"mcp": ["gradio[mcp]"], "video": ["imageio-ffmpeg"], "test": packages("tests/requirements.txt")},
)
