from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path

from webconsole.assets import FOLDER, load_assets

ASSETS = load_assets()
SCRIPTS = {path: asset.body.decode() for path, asset in ASSETS.items() if path.endswith(".js")}
OURS = {path: text for path, text in SCRIPTS.items() if not path.startswith("vendor/")}
INDEX = ASSETS[""].body.decode()
VERSION = ASSETS["version"].body.decode()
LOADED = re.findall(r'(?:href|src)="([^"]+)"', INDEX)
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySet|document\.write|\beval\(")
STATIC = re.compile(r"""(?:\bfrom|\bimport)\s*["']([^"']+)["']""")
DYNAMIC = re.compile(r"""\bimport\(\s*["']([^"']+)["']""")
PATTERN = re.compile(r"""NAME = ("[^\n]+");""")
MOST_KILOBYTES_FIRST, MOST_KILOBYTES = 50, 240
"""What is loaded before the first answer, of which the goal is 100, and all: a tenth or so above what they are."""
MOST_LINES = 400


def _place(path: str, name: str) -> str:
    return (FOLDER / path).parent.joinpath(name).resolve().relative_to(FOLDER).as_posix()


def _loaded_first() -> set[str]:
    """The modules without which the first page is not drawn: those that `app/main.js` imports, and so on."""
    found: set[str] = set()
    waiting = ["app/main.js"]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [_place(path, name) for name in STATIC.findall(SCRIPTS[path])]
    return found


def test_every_module_that_another_imports_is_there_and_named_by_its_place() -> None:
    for path, text in SCRIPTS.items():
        for name in STATIC.findall(text) + DYNAMIC.findall(text):
            assert name.startswith("."), f"{path} imports {name}, which a browser can't find"
            assert _place(path, name) in ASSETS, f"{path} imports {name}"


def test_the_page_loads_what_the_first_answer_needs_at_once_and_nothing_else() -> None:
    named = [name.removeprefix(f"{VERSION}/") for name in LOADED]
    assert all(not name.startswith(("/", "http")) and name in ASSETS for name in named)
    assert {name for name in named if name.endswith(".js")} == _loaded_first()


def test_every_page_but_the_chat_is_loaded_when_it_is_opened() -> None:
    pages = {path for path in OURS if path.startswith("pages/")}
    later = {_place("app/pages.js", name) for name in DYNAMIC.findall(OURS["app/pages.js"])}
    assert pages & _loaded_first() == {"pages/chat.js", "pages/signin.js"}
    assert later == pages - _loaded_first()


def test_the_page_names_the_version_of_all_files() -> None:
    assert len(VERSION) == 20
    assert f'<meta name="version" content="{VERSION}">' in INDEX


def test_all_that_the_page_loads_is_in_a_folder_of_its_version() -> None:
    assert len(LOADED) > 30
    assert all(name.startswith(f"{VERSION}/") for name in LOADED)


def test_a_changed_file_is_another_version(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    assert load_assets(tmp_path)["version"] == ASSETS["version"]
    (tmp_path / "usage" / "money.js").write_text("export const dollars = 1;")
    assert load_assets(tmp_path)["version"] != ASSETS["version"]


def test_a_pattern_of_a_name_is_good_for_browsers_that_read_sets() -> None:
    """In a class, `-` stands for itself only behind `\\` where a browser reads patterns by the flag `v`."""
    patterns = [(path, pattern) for path, text in OURS.items() for pattern in PATTERN.findall(text)]
    assert len(patterns) == 5
    assert {pattern for _, pattern in patterns} == {r'"[a-z0-9][a-z0-9_\\-]{0,62}"'}


def test_there_is_no_inline_code_and_nothing_that_turns_text_into_markup() -> None:
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", INDEX)
    for path, text in OURS.items():
        assert not MARKUP.search(text), path


def test_all_that_is_needed_for_the_first_answer_is_small() -> None:
    first = _loaded_first() | {path for path in ASSETS if path.endswith(".css")}
    assert sum(len(ASSETS[path].compressed) for path in first) < MOST_KILOBYTES_FIRST * 1024
    assert sum(len(asset.compressed) for path, asset in ASSETS.items() if path) < MOST_KILOBYTES * 1024


def test_modules_are_short() -> None:
    assert not {path: lines for path, text in OURS.items() if (lines := text.count("\n")) > MOST_LINES}


def test_what_is_sent_compressed_is_the_file_and_a_change_has_another_etag() -> None:
    assert all(gzip.decompress(asset.compressed) == asset.body for asset in ASSETS.values())
    assert len({asset.etag for path, asset in ASSETS.items() if path}) == len(ASSETS) - 1
