from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from annotation.models import GoldItem
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


def test_it_reads_a_table(tmp_path, capsys) -> None:
    project = make_project()
    first, second, third = make_items(project, 3)
    file = tmp_path / "gold.csv"
    file.write_text(
        "row,label,kind,note\n"
        f'{first.row},Refund,,"They ask for money"\n'
        f"{second.row},other,qualification,\n"
        f"{third.row},nonsense,,\n"
        "x,other,,\n"
    )
    call_command("set_gold", project.slug, file)
    assert list(GoldItem.objects.order_by("item__row").values_list("value", "kind", "note")) == [
        ({"label": "refund"}, "gold", "They ask for money"),
        ({"label": "other"}, "qualification", ""),
    ]
    told = capsys.readouterr()
    assert "gold.csv: 2 set, 0 unchanged, 0 withdrawn, 2 refused" in told.out
    assert "line 4: The label “nonsense” is not in the schema" in told.err
    assert "line 5: " in told.err


def test_it_reads_json_lines_and_withdraws(tmp_path, capsys) -> None:
    project = make_project()
    [item] = make_items(project, 1)
    file = tmp_path / "gold.jsonl"
    file.write_text(json.dumps({"item": str(item.uuid), "value": {"label": "refund"}}) + "\n")
    call_command("set_gold", project.slug, file, kind="qualification")
    assert GoldItem.objects.get().kind == "qualification"
    file.write_text(json.dumps({"item": str(item.uuid), "is_active": False}) + "\n")
    call_command("set_gold", project.slug, file)
    assert "1 withdrawn" in capsys.readouterr().out
    assert not GoldItem.objects.filter(is_active=True).exists()


def test_it_ends_with_an_error_where_nothing_could_be_taken(tmp_path) -> None:
    project = make_project()
    file = tmp_path / "gold.csv"
    file.write_text("row,label\n7,other\n")
    with pytest.raises(CommandError, match="no row could be taken"):
        call_command("set_gold", project.slug, file)
    with pytest.raises(CommandError):
        call_command("set_gold", project.slug, tmp_path / "missing.csv")
