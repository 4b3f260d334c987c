"""The benchmarks in the README files: one command writes them, from the figures of a run."""

import importlib
import re
import shutil
from pathlib import Path

import pytest
from serving import need

from benchmarks import __main__ as command
from benchmarks import keeping, plots, readme
from benchmarks.clients import Unexpected
from benchmarks.keeping import Kept
from benchmarks.peers import FASTAPI, NAKED, RAW
from benchmarks.question import Sample
from benchmarks.running import Result

if plots.missing() is None:
    importlib.import_module("matplotlib.figure")  # now: see MODULES in test_benchmark_peers.py
    importlib.import_module("matplotlib.ticker")
PAGES = [*readme.PAGES, "benchmarks/README.md"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, as they are, where they can be written."""
    root = tmp_path_factory.mktemp("tree")
    (root / "benchmarks").mkdir()
    for page in PAGES:
        shutil.copy(readme.ROOT / page, root / page)
    return root


def kept(**others: object) -> Kept:
    """A run of the questions that the pages tell of, in which raw takes half of naked's."""
    results = {}
    for name in ("burst", "chunks", "blocking", "idle", "fairness"):
        figures = command.QUESTIONS[name].figures

        def sample(figure: float, count: int = len(figures)) -> Sample:
            return (figure,) * count

        results[name] = Result(
            {NAKED: [sample(12.0)], RAW: [sample(6.0)], "starlette": [sample(13.0)], FASTAPI: [sample(19.0)]},
            {"quart": "it was not asked"},
            [30.0],
        )
    machine = {"python": "3.11.7", "cores": 2, "processor": "EPYC", "system": "Linux", "uvicorn": "0.9"}
    machine |= {"starlette": "1.2", "fastapi": "0.3"}
    run = {"began": "2026-11-21T15:34:14+00:00", "server": "uvicorn", "quick": False, "rounds": 5}
    return Kept(**{**run, "machine": machine, "results": results, **others})  # type: ignore[arg-type]


def test_the_pages_tell_of_a_run(tree: Path) -> None:
    need("matplotlib")
    said = readme.write(kept(), command.QUESTIONS, tree)
    assert said == ["written: README.md, README.zh.md, benchmarks/README.md and 2 plots in benchmarks/pictures"]
    english, chinese, tables = ((tree / page).read_text() for page in PAGES)
    assert "| | by hand | rawasgi | Starlette 1.2 | FastAPI 0.3 |\n" in english
    assert "| a chunk that is ready: us | 12.00 | 6.00 | 13.00 | 19.00 |\n" in english
    assert "uvicorn 0.9, Python 3.11.7, 2 cores, 2026-11-21: 2 of 6 targets reached.\n" in english
    assert "| 一个已就绪的块：微秒 | 12.00 | 6.00 | 13.00 | 19.00 |\n" in chinese
    assert "2 / 6 个目标达到" in chinese
    assert "- burst: raw is 2.00 times as fast as naked, at least 10 asked: **not reached**\n" in tables
    assert "![chunks](pictures/chunks.svg)" in tables
    assert "It took 2 minutes; in seconds: burst 30, chunks 30, " in tables
    assert "- left out: quart: it was not asked\n" in tables
    for page in PAGES:
        for picture in re.findall(r"!\[[^]]*\]\(([^)]*pictures/\w+\.svg)\)", (tree / page).read_text()):
            if "lab" not in picture:
                assert ((tree / page).parent / picture).stat().st_size < 60_000


def test_the_rest_of_a_page_is_left_alone_and_it_can_be_written_again(tree: Path) -> None:
    need("matplotlib")
    readme.write(kept(), command.QUESTIONS, tree)
    once = [(tree / page).read_text() for page in PAGES]
    readme.write(kept(), command.QUESTIONS, tree)
    assert [(tree / page).read_text() for page in PAGES] == once
    for page, text in zip(PAGES, once, strict=True):
        ours = re.compile(r"(?<=<!-- (?:figur)es -->\n).*?(?=<!-- end)|(?<=<!-- run -->\n).*?(?=<!-- end)", re.DOTALL)
        assert ours.sub("", text) == ours.sub("", (readme.ROOT / page).read_text())


def test_the_pictures_of_the_pages_are_there() -> None:
    for page in PAGES:
        for picture in re.findall(r"!\[[^]]*\]\(([^)]*pictures/[^)]*)\)", (readme.ROOT / page).read_text()):
            assert ((readme.ROOT / page).parent / picture).exists(), picture


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"quick": True}, "this one was quick"),
        ({"results": {}}, "of blocking, burst, chunks, fairness, idle, too"),
    ],
)
def test_what_is_no_whole_run_is_not_told(wrong: dict[str, object], words: str, tree: Path) -> None:
    need("matplotlib")
    before = [(tree / page).read_text() for page in PAGES]
    with pytest.raises(Unexpected, match=words):
        readme.write(kept(**wrong), command.QUESTIONS, tree)
    assert [(tree / page).read_text() for page in PAGES] == before


@pytest.mark.parametrize("text", ["", "<!-- run -->\n", "<!-- run -->\n<!-- run -->\n<!-- end of run -->\n"])
def test_a_page_without_its_marks_is_refused(text: str, tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(text)
    with pytest.raises(Unexpected, match="once each"):
        readme.put(page, "run", "figures\n")
    assert page.read_text() == text


def test_the_command_writes_them(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    need("matplotlib")
    monkeypatch.setattr(readme.write, "__defaults__", (tree,))
    path = tmp_path / "run.json"
    path.write_text(keeping.dumps(kept(), command.QUESTIONS))
    assert command.main(["--report", str(path), "--readme"]) == 0
    assert "2 plots in benchmarks/pictures" in capsys.readouterr().err
    path.write_text(keeping.dumps(kept(quick=True, results={}), command.QUESTIONS))
    assert command.main(["--report", str(path), "--readme"]) == 2
    with pytest.raises(SystemExit):
        command.main(["--readme"])
    assert "--report FILE" in capsys.readouterr().err
