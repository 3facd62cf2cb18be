"""pyproject.toml, requirements.lock and environment.yml state one set of dependencies."""

import re
import tomllib
from itertools import chain
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
# conda-forge names that differ from the name on the Python index.
CONDA_NAMES = {
    "python-duckdb": "duckdb",
    "ibis-duckdb": "ibis-framework[duckdb]",
    "ibis-postgres": "ibis-framework[postgres]",
    "matplotlib-base": "matplotlib",
    "pandera-pandas": "pandera[pandas]",
}


def declared() -> dict[str, str]:
    """Every requirement of pyproject.toml, extras included: name with extras -> range."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    return {_key(Requirement(line)): str(Requirement(line).specifier) for line in lines}


def _key(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return canonicalize_name(requirement.name) + extras


def conda() -> dict[str, str]:
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    plain = [entry for entry in listed if isinstance(entry, str) and not re.match(r"(python|pip)\b(?!-)", entry)]
    pip_lines = [line for entry in listed if isinstance(entry, dict) for line in entry["pip"] if line[0] != "-"]
    found = {}
    for line in plain + pip_lines:
        requirement = Requirement(line)
        name = CONDA_NAMES.get(requirement.name)
        found[_key(Requirement(name)) if name else _key(requirement)] = str(requirement.specifier)
    return found


def locked() -> dict[str, list[Version]]:
    pins: dict[str, list[Version]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9_.\-]+)==([^\s;\\]+)", _lock_text(), flags=re.MULTILINE):
        pins.setdefault(canonicalize_name(name), []).append(Version(version))
    return pins


def _lock_text() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_environment_states_the_ranges_of_pyproject():
    assert conda() == declared()


def test_every_range_admits_its_locked_version():
    pins = locked()
    for name, specifier in declared().items():
        versions = pins[canonicalize_name(name.split("[")[0])]
        assert all(Requirement(f"x{specifier}").specifier.contains(version) for version in versions), name


def test_lock_carries_a_hash_for_every_pin_and_names_no_host():
    blocks = re.split(r"\n(?=[A-Za-z0-9])", _lock_text().strip())
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in _lock_text()


def test_python_range_is_stated_alike():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    assert f"python{project['requires-python']}" in listed
