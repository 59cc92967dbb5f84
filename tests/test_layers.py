"""Imports point down the drawing in `mm2energon/__init__.py`, and starting the package loads nothing heavy."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mm2energon
import pytest

PACKAGE = Path(mm2energon.__file__).parent
HEAVY = ("torch", "megatron", "numpy", "cv2", "av", "PIL", "decord", "simplejpeg", "webdataset", "transformers", "tqdm")


def layers(package: Path) -> dict[str, int]:
    """Module or folder -> its line in the drawing, counted from above."""
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")), clean=False) or ""
    drawn = [line.split() for line in docstring.splitlines() if line.startswith("    ")]
    return {name: line for line, names in enumerate(drawn) for name in names}


def imports(path: Path, package: str) -> Iterator[str]:
    """The modules of the package that a file imports, inside functions too, as `a.b` below the package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module == package else [module]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "import_module"):
            text = node.args[0]
            parts = text.values if isinstance(text, ast.JoinedStr) else [text]
            if isinstance(parts[0], ast.Constant) and isinstance(parts[0].value, str):
                names = [parts[0].value]
        yield from (name.removeprefix(f"{package}.") for name in names if name.startswith(f"{package}."))


def violations(package: Path) -> list[str]:
    """The imports that point up, or sideways, and the modules that are not in the drawing."""
    lines = layers(package)
    found = [f"{name} is drawn, but not there" for name in lines if not list(package.glob(f"{name}*"))]
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).parts[0].removesuffix(".py")
        if name == "__init__":
            continue
        if name not in lines:
            found.append(f"{name} is not in the drawing")
            continue
        for imported in imports(path, package.name):
            other = imported.split(".")[0]
            if other in lines and other != name and lines[other] <= lines[name]:
                found.append(f"{path.relative_to(package).as_posix()} imports {imported}")
    return found


def test_every_import_of_the_package_points_down_the_drawing() -> None:
    assert len(layers(PACKAGE)) > 10
    assert violations(PACKAGE) == []


GOOD = {
    "__init__.py": '"""A house.\n\n    top\n    left  right\n    base\n"""\n',
    "top.py": "import house.left.room\nfrom house import base, right\n",
    "left/__init__.py": "from house.left import room\n",
    "left/room.py": "import json\nfrom house.base import thing\nfrom house.left import other\n",
    "left/other.py": "",
    "right.py": "def f():\n    import house.base\n",
    "base.py": "import housekeeping\nfrom houses import top\n",
}


def build(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / "house" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "house"


def test_a_tree_whose_imports_point_down_passes(tmp_path: Path) -> None:
    assert violations(build(tmp_path, GOOD)) == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("base.py", "import house.top\n", "base.py imports top"),
        ("base.py", "from house import right\n", "base.py imports right"),
        ("base.py", "from house.left.room import thing\n", "base.py imports left.room"),
        ("right.py", "from house.left import room\n", "right.py imports left"),
        ("left/room.py", "def f():\n    if True:\n        from house import right\n", "left/room.py imports right"),
        ("left/room.py", "import importlib\nimportlib.import_module('house.top')\n", "left/room.py imports top"),
        ("right.py", "importlib.import_module(f'house.top.{1}')\n", "right.py imports top."),
        ("new.py", "", "new is not in the drawing"),
        (
            "__init__.py",
            '"""A house.\n\n    top\n    left  right\n    base  attic\n"""\n',
            "attic is drawn, but not there",
        ),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, name: str, text: str, found: str) -> None:
    assert violations(build(tmp_path, {**GOOD, name: text})) == [found]


def loaded_by(code: str) -> set[str]:
    """The packages at the top of sys.modules in a new process that ran `code`."""
    begin, end = f"import json, sys\nsys.path[:0] = [{str(PACKAGE.parent)!r}]", "print(json.dumps(list(sys.modules)))"
    script = "\n".join([begin, code, "print()", end])
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


HELP = "import contextlib\nfrom mm2energon.cli import main\nwith contextlib.suppress(SystemExit):\n    main(['--help'])"


@pytest.mark.parametrize("code", ["import mm2energon", HELP], ids=["import", "--help"])
def test_starting_loads_nothing_heavy(code: str) -> None:
    loaded = loaded_by(code)
    assert "mm2energon" in loaded
    assert loaded & set(HEAVY) == set()


def test_a_heavy_import_would_be_noticed() -> None:
    assert "PIL" in loaded_by("import mm2energon.images.library") & set(HEAVY)


@pytest.mark.parametrize("folder", ["pipeline", "review", "studio", "tuning", "videochat"])
def test_the_map_of_a_large_folder_has_each_of_its_modules_once(folder: str) -> None:
    text = (PACKAGE / folder / "__init__.py").read_text(encoding="utf-8")
    mapped = [name for line in text.splitlines() if line.startswith("    ") for name in line.split()]
    assert sorted(mapped) == sorted(path.stem for path in (PACKAGE / folder).glob("[!_]*.py"))
