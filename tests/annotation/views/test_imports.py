from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from annotation.models import Import, Project, RejectedRow, Role
from annotation.selectors import schemas
from annotation.services import imports as services
from annotation.services import projects
from jobs.services import jobs
from tests import typed
from tests.factories import add_member, make_import, make_project, make_user, run_import

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def project() -> Project:
    return make_project("Bank")


@pytest.fixture
def engineer(client: Client, project: Project) -> Client:
    client.force_login(add_member(project, Role.ENGINEER))
    return client


def url(name: str, project: Project, import_run: Import | None = None) -> str:
    return reverse(f"annotation:{name}", args=[project.slug, *([import_run.uuid] if import_run else [])])


def upload(client: Client, project: Project, data: bytes, name: str = "texts.csv", **fields: Any) -> Any:
    return client.post(url("import", project), {"file": SimpleUploadedFile(name, data), **fields})


def pages_of(project: Project) -> list[tuple[str, str]]:
    import_run = make_import(project, lines=["text", "one"])
    names = ("import_detail", "import_state", "import_mend", "import_report")
    posts = ("import_read", "import_preview", "import_discard")
    return [
        ("get", url("import", project)),
        ("get", url("export", project)),
        ("post", url("export_download", project)),
        *(("get", url(name, project, import_run)) for name in names),
        *(("post", url(name, project, import_run)) for name in posts),
    ]


def test_it_tells_outsiders_nothing_and_turns_annotators_away(client: Client, project: Project) -> None:
    pages = pages_of(project)
    for user, status in (
        (make_user(), 404),
        (add_member(project), 403),
        (add_member(project, Role.REVIEWER), 403),
    ):
        client.force_login(user)
        assert {getattr(client, method)(page).status_code for method, page in pages} == {status}
    client.logout()
    assert {getattr(client, method)(page).status_code for method, page in pages} == {302}
    assert Import.objects.get().state == "uploaded"


def test_it_leads_from_the_file_over_its_columns_to_the_items(engineer: Client, project: Project) -> None:
    answer = upload(engineer, project, b"id,query,intent\n1,one,Refund\n2,two\n3,three,Other\n")
    import_run = Import.objects.get()
    assert answer.url == url("import_detail", project, import_run)
    page = engineer.get(answer.url)
    assert (page.status_code, page.context["form"].initial["text"]) == (200, "query")
    assert (page.context["form"].initial["label"], page.context["form"].initial["external_id"]) == (
        "intent",
        "id",
    )
    assert "three" in page.text
    engineer.post(answer.url, {"text": "query", "label": "intent", "external_id": "id"})
    running = engineer.get(answer.url)
    assert "data-poll=" in running.text and "Cancel" in running.text
    run_import(import_run)
    polled = engineer.get(url("import_state", project, import_run), headers={"X-Requested-With": "poll"})
    assert "data-poll-reload" in polled.text
    done = engineer.get(answer.url).text
    assert "line 3 has 2 of 3 cells" in done and "Download to mend" in done
    assert list(project.items.order_by("row").values_list("text", "external_id")) == [
        ("one", "1"),
        ("three", "3"),
    ]
    mend = engineer.get(url("import_mend", project, import_run))
    assert b"".join(mend.streaming_content) == b"id,query,intent\n2,two\n"  # type: ignore[attr-defined]
    assert mend.headers["Content-Disposition"] == 'attachment; filename="texts-rejected.csv"'
    report = b"".join(engineer.get(url("import_report", project, import_run)).streaming_content)  # type: ignore[attr-defined]
    assert b"3,ragged," in report


def test_it_says_why_rows_were_rejected_in_the_reader_s_language(engineer: Client, project: Project) -> None:
    import_run = make_import(project, lines=["a,b", "one,Nonsense", " ,Refund", "two"])
    services.start(import_run, {"text": "a", "label": "b"})
    run_import(import_run)
    page = engineer.get(url("import_detail", project, import_run), headers={"Accept-Language": "zh-hans"})
    assert [row.reason.template[:24] for row in import_run.rejected_rows.order_by("line")] == [
        "line %(line)s %(reason)s",
        "line %(line)s %(reason)s",
        "line %(line)s has %(foun",
    ]
    for words in (
        "第 2 行：标签 &#x27;Nonsense&#x27; 不在标签方案中（已有 refund",
        "第 3 行：列 &#x27;a&#x27; 中没有文本：请写上，或去掉这一行",
        "第 4 行应有 2 个单元格（a, b），只有 1 个：请补上缺少的",
    ):
        assert words in page.text
    RejectedRow.objects.filter(line=4).update(wording=None)  # as rows were kept before
    assert "line 4 has 1 of 2 cells" in engineer.get(url("import_detail", project, import_run)).text


def test_it_takes_mended_rows_with_the_columns_of_the_first_import(
    engineer: Client, project: Project
) -> None:
    first = make_import(project, lines=["a,b", "one,Refund", "two,Nonsense"])
    services.start(first, {"text": "a", "label": "b"})
    run_import(first)
    page = engineer.get(url("import", project) + f"?mends={first.uuid}")
    assert "Bring back the rejected rows of texts.csv" in page.text
    upload(engineer, project, b"a,b\ntwo,Other\n", "texts-rejected.csv", mends=str(first.uuid))
    mended = Import.objects.exclude(pk=first.pk).get()
    assert mended.mends == first
    form = engineer.get(url("import_detail", project, mended)).context["form"]
    assert (form.initial["text"], form.initial["label"]) == ("a", "b")


@pytest.mark.parametrize(
    ("data", "name", "sentence"),
    [
        (b"", "empty.csv", "This file is empty"),
        (b"text\n", "head.csv", "no rows"),
        (b"PK\x03\x04junk", "book.xlsx", "Excel"),
        (gzip.compress(b"text\none\n", mtime=0)[:8], "cut.csv.gz", "get a whole copy"),
        (b"PAR1 nonsense", "cut.parquet", "no Parquet file"),
    ],
)
def test_it_says_in_place_what_is_wrong_with_a_file_and_keeps_the_rest(
    data: bytes, name: str, sentence: str, engineer: Client, project: Project
) -> None:
    answer = upload(engineer, project, data, name, encoding="big5")
    assert (answer.status_code, sentence in " ".join(answer.context["form"].errors["file"])) == (422, True)
    assert answer.context["form"]["encoding"].value() == "big5"
    assert not Import.objects.exists()


def test_it_keeps_a_file_of_unknown_encoding_and_asks_for_it(engineer: Client, project: Project) -> None:
    data = "text\n退款什么时候到账\n卡丢了怎么办\n我要投诉你们的服务\n".encode("gb18030")
    upload(engineer, project, data)
    import_run = Import.objects.get()
    page = url("import_detail", project, import_run)
    shown = engineer.get(page)
    assert "UTF-8" in shown.text and "The file is kept" in shown.text
    wrong = engineer.post(url("import_read", project, import_run), {"encoding": "utf-16"})
    assert (wrong.status_code, wrong.context["reading"]["encoding"].value()) == (422, "utf-16")
    engineer.post(url("import_read", project, import_run), {"encoding": "gb18030"})
    assert "退款什么时候到账" in engineer.get(page).text
    engineer.post(page, {"text": "text"})
    run_import(import_run)
    assert project.items.count() == 3


def test_it_shows_every_bad_row_of_a_bad_file(engineer: Client, project: Project) -> None:
    """A byte order mark, ragged rows, a 50 MB cell, a label outside the schema, a line that breaks off."""
    giant = b"x" * 50_000_000
    rows = [b"one,Refund", b"two", giant + b",Refund", b"three,Nonsense", b'four,"Refund']
    upload(engineer, project, b"\xef\xbb\xbftext,label\n" + b"\n".join(rows))
    import_run = Import.objects.get()
    page = url("import_detail", project, import_run)
    engineer.post(page, {"text": "text", "label": "label"})
    run_import(import_run)
    done = engineer.get(page)
    codes = dict(done.context["codes"])
    assert codes == {"ragged": 1, "too_large": 1, "unknown_label": 1, "quote": 1}
    assert "not in the schema" in done.text and len(done.content) < 100_000
    assert list(project.items.values_list("text", flat=True)) == ["one"]


def test_it_pages_through_many_rejected_rows(engineer: Client, project: Project) -> None:
    import_run = make_import(project, lines=["text,n", "good,0", *(f",{number}" for number in range(130))])
    services.start(import_run, {"text": "text"})
    run_import(import_run)
    page = url("import_detail", project, import_run)
    first = engineer.get(page)
    assert len(first.context["rejected"]) == 100
    second = engineer.get(page + first.context["older_url"])
    assert [row.line for row in second.context["rejected"]] == list(range(103, 133))
    assert engineer.get(page + "?after=99999999999999999999").status_code == 200


def test_it_offers_to_make_the_labels_from_the_file(client: Client) -> None:
    project = projects.create("Later")
    client.force_login(add_member(project, Role.ENGINEER))
    upload(client, project, b"text,label\none,Lost card\ntwo,Refund\n")
    import_run = Import.objects.get()
    page = url("import_detail", project, import_run)
    assert client.get(page).context["form"].initial["labels_from_file"]
    refused = client.post(page, {"text": "text", "label": "label"})
    assert refused.status_code == 422
    assert "has no labels yet" in refused.context["form"].errors["label"][0]
    client.post(page, {"text": "text", "label": "label", "labels_from_file": "on"})
    run_import(import_run)
    field = schemas.label_field(schemas.require(project))
    assert [label["name"] for label in field["labels"]] == ["Lost card", "Refund"]
    assert project.resolutions.count() == 2


def test_it_refuses_columns_in_place_and_keeps_what_was_chosen(engineer: Client, project: Project) -> None:
    import_run = make_import(project, lines=["text,b", "one,x"])
    answer = engineer.post(url("import_detail", project, import_run), {"text": "b", "label": "b"})
    assert (answer.status_code, answer.context["form"]["text"].value()) == (422, "b")
    assert "two purposes" in answer.text


def test_it_lets_one_go_on_with_an_import_that_failed(engineer: Client, project: Project) -> None:
    import_run = make_import(project, lines=["text", "one"])
    jobs.cancel(services.start(import_run, {"text": "text"}), None)
    page = url("import_detail", project, import_run)
    assert "Cancelled: what was read until then is in" in engineer.get(page).text
    engineer.post(page, {"text": "text"})
    run_import(import_run)
    assert project.items.count() == 1


def test_it_warns_of_a_file_that_was_imported_before_and_forgets_it(
    engineer: Client, project: Project
) -> None:
    first = make_import(project, lines=["text", "one"])
    services.start(first, {"text": "text"})
    run_import(first)
    again = make_import(project, lines=["text", "one"], name="copy.csv")
    assert "imported before as texts.csv" in engineer.get(url("import_detail", project, again)).text
    engineer.post(url("import_discard", project, again))
    assert not Import.objects.filter(pk=again.pk).exists()


def test_it_asks_few_queries_however_many_imports(
    engineer: Client, project: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(5):
        make_import(project, lines=["text", "one"], name=f"{number}.csv")
    with django_assert_max_num_queries(12):
        engineer.get(url("import", project))


def test_it_shows_the_first_item_as_people_will_see_it(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    project = typed.make_project("preference")
    client.force_login(add_member(project, Role.ENGINEER))
    lines = [
        {"prompt": "", "chosen": "a", "rejected": "b"},
        {"prompt": "Where is it?", "chosen": "On its **way**.", "rejected": "<b>No</b>", "channel": "chat"},
    ]
    import_run = make_import(project, lines=map(json.dumps, lines), name="pairs.jsonl")
    page = client.get(url("import_detail", project, import_run))
    assert page.context["form"].initial["responses"] == ["chosen", "rejected"]
    assert page.context["compares"]
    sample = page.context["sample"]
    assert sample.page["item"]["text"] == "Where is it?"
    assert "line 1 has no text" in sample.complaint and "line 1 has no text" in page.text
    assert "<b>No</b>" not in page.text
    sent = {"text": "prompt", "responses": ["chosen", "rejected"], "meta": ["channel"]}
    with django_assert_max_num_queries(8):
        shown = client.post(url("import_preview", project, import_run), sent)
    assert shown.status_code == 200
    assert shown.context["sample"].meta == [("channel", "chat")]
    assert {one["text"] for one in shown.context["sample"].page["item"]["content"]["responses"]} == {
        "On its **way**.",
        "<b>No</b>",
    }
    wrong = client.post(url("import_preview", project, import_run), {"text": "prompt"})
    assert wrong.context["sample"].page is None and "line 1 has no text" in wrong.text
    none = client.post(url("import_preview", project, import_run), {})
    assert "no column is chosen for the text" in none.text
    without_scripts = client.post(url("import_detail", project, import_run), {**sent, "act": "show"})
    assert without_scripts.context["sample"].meta == [("channel", "chat")]
    import_run.refresh_from_db()
    assert import_run.state == "uploaded"


def test_it_shows_the_answer_that_a_row_brings(client: Client) -> None:
    project = typed.make_project("spans")
    client.force_login(add_member(project, Role.ENGINEER))
    row = {"text": "  Ana waits in Berlin", "entities": [[2, 5, "Person"]]}
    import_run = make_import(project, lines=[json.dumps(row)], name="spans.jsonl")
    sent = {"text": "text", "label": "entities"}
    shown = client.post(url("import_preview", project, import_run), sent)
    assert shown.context["sample"].answer == "Person 0–3"
    client.post(url("import_detail", project, import_run), sent)
    run_import(import_run)
    assert import_run.labelled == 1


def test_it_imports_dialogues_without_a_text_column(engineer: Client, project: Project) -> None:
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    import_run = make_import(project, lines=[json.dumps({"conversations": turns})], name="chat.jsonl")
    page = engineer.get(url("import_detail", project, import_run))
    assert (page.context["form"].initial["messages"], page.context["form"].initial["text"]) == (
        "conversations",
        "",
    )
    engineer.post(url("import_detail", project, import_run), {"text": "", "messages": "conversations"})
    run_import(import_run)
    assert project.items.get().text == "user: Hi\nassistant: Hello"
    assert (
        "Texts from the column “conversations”"
        in engineer.get(url("import_detail", project, import_run)).text
    )
