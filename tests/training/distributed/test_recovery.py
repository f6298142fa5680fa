from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from training.distributed import recovery
from training.distributed.recovery import FILE, Recovery, StepJournal, positions, read_steps
from training.learning.batching import schedule


def test_it_reads_back_what_it_wrote_for_the_same_run(tmp_path: Path) -> None:
    made = Recovery(key="run", skipped=[4], rate=0.25, pieces=2, rollbacks=2, left_out=["b"])
    made.add("anomaly", 7, "the loss became nan", back_to=5)
    made.write(tmp_path / "work")
    assert Recovery.read(tmp_path / "work", "run") == made
    assert Recovery.read(tmp_path / "work", "another") == Recovery(key="another")
    assert [path.name for path in (tmp_path / "work").iterdir()] == [FILE]


def test_it_begins_anew_where_the_file_is_gone_or_damaged(tmp_path: Path) -> None:
    assert Recovery.read(tmp_path, "run") == Recovery(key="run")
    for text in ("", "[]", '{"colour": 1}', '{"key": "run", "rate"'):
        (tmp_path / FILE).write_text(text)
        assert Recovery.read(tmp_path, "run") == Recovery(key="run")


def test_it_leaves_batches_out_and_keeps_the_number_of_steps() -> None:
    made = Recovery()
    assert made.leave_out(3) == 2
    assert positions(5, made.skipped).tolist() == [0, 1, 3, 4, 5]
    assert made.leave_out(3) == 3  # the batch that took its place
    assert positions(5, made.skipped).tolist() == [0, 1, 4, 5, 6]
    assert positions(2, made.skipped).tolist() == [0, 1]


def test_it_compares_steps_done_again_with_the_first_time(tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    first = StepJournal(path, 0)
    for step in range(1, 6):
        first.add(step, step - 1, 1.0 / step, ranks=2)
    first.close()
    path.write_text(path.read_text() + '{"step": 6, "ba')  # cut off by a kill
    again = StepJournal(path, 3)
    again.add(4, 3, 1.0 / 4, ranks=2)
    again.add(5, 4, 0.9, ranks=2)
    again.add(6, 5, 0.1, ranks=2)
    again.close()
    assert (again.repeated, again.differing) == (2, 1)
    other = StepJournal(path, 3)
    other.add(4, 3, 0.7, ranks=1)  # fewer ranks draw other random numbers: no wonder
    other.close()
    assert (other.repeated, other.differing) == (1, 0)


def test_it_counts_how_often_each_item_was_seen(tmp_path: Path) -> None:
    batches = schedule([5] * 10, batch_size=4, steps=3, seed=1)
    path = tmp_path / "steps.jsonl"
    for resumed in (0, 1):  # killed after step 2, gone on from step 1
        journal = StepJournal(path, resumed)
        for step in range(resumed + 1, 4 if resumed else 3):
            journal.add(step, step - 1, 1.0, ranks=1)
        journal.close()
    seen = np.concatenate([batches[entry["batch"]] for entry in read_steps(path).values()])
    assert np.bincount(seen, minlength=10).tolist() == [1] * 10
    assert read_steps(tmp_path / "none") == {}


class FullDisk:
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


def test_it_survives_a_journal_that_cannot_be_written(tmp_path: Path) -> None:
    journal = StepJournal(tmp_path / "steps.jsonl", 0)
    journal.close()
    journal._file = FullDisk()  # type: ignore[assignment]
    journal.add(1, 0, 1.0, ranks=1)
    assert journal.repeated == 0


def test_its_events_are_of_known_kinds() -> None:
    event = Recovery().add("memory", 3, "words", pieces=2)
    assert json.loads(json.dumps(event)) == {"kind": "memory", "step": 3, "text": "words", "pieces": 2}
    assert event["kind"] in recovery.KINDS
    assert np.all(positions(3, []) == [0, 1, 2])
