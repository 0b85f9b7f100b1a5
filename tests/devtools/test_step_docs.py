"""What steps declare is in docs/analysis.md."""

from __future__ import annotations

from devtools.step_docs import PAGE, rendered
from video_worker.steps.base import Step
from video_worker.steps.declarations import Adds, BoxColumn, Kind, LogColumn, Recipe, RecordKey


def test_the_page_says_what_the_steps_declare() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == rendered(page), "run: python -m devtools.step_docs"


def test_a_new_step_is_documented_by_what_it_declares() -> None:
    class Loud(Step):
        adds = Adds(
            keys=(RecordKey("loudness", "how loud the clip is", '{"mean": 3.5}'),),
            columns=(LogColumn("loudness", ("loudness", "mean"), Kind.NUMBER, "mean loudness", "dB"),),
            box_columns=(BoxColumn("noise", Kind.NUMBER, "what it sounds like", "dB"),),
            recipes=(Recipe("What is loud?", "loud = clips.nlargest(10, 'loudness')"),),
        )

    page = rendered(PAGE.read_text(encoding="utf-8"), [Loud])
    for line in (
        '| `loudness` | how loud the clip is | `{"mean": 3.5}` | `test_step_docs` |',
        "| `loudness` | mean loudness | dB |",
        "| `noise` | what it sounds like | dB |",
        "### What is loud?",
        "loud = clips.nlargest(10, 'loudness')",
    ):
        assert line in page.splitlines()
