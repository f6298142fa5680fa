from __future__ import annotations

import html
import shutil
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from huggingface_hub.errors import RepositoryNotFoundError

from jobs.errors import Cancelled
from jobs.models import Job
from jobs.services.jobs import drain
from tests import factories
from tests.training.learning.test_base_folder import make
from training.errors import BadBaseModel
from training.learning import encoder
from training.selectors import base_models as reads
from training.services import base_models

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.MODEL_FOLDERS = [str(tmp_path / "bases")]
    (tmp_path / "bases").mkdir()
    return make(tmp_path / "bases" / "own")


def test_a_registered_folder_is_tuned_where_none_is_named(folder: Path) -> None:
    project = factories.make_project()
    base_models.register(project, name="My own", folder=str(folder), is_default=True)
    found = reads.find(project, "")
    assert (found.name, found.path) == ("my-own", str(folder))
    assert reads.names(project)[0] == "my-own"
    assert base_models.unchanged(project, found.told()) == found
    (folder / "tokenizer.json").write_text('{"other": 1}')
    with pytest.raises(BadBaseModel, match="has changed since"):
        base_models.unchanged(project, found.told())
    base_models.remove(project, "my-own")
    with pytest.raises(BadBaseModel, match="no language model “my-own”"):
        reads.find(project, "my-own")


def test_folders_elsewhere_and_links_out_are_refused(folder: Path, tmp_path: Path) -> None:
    project = factories.make_project()
    make(tmp_path / "elsewhere")
    (folder.parent / "link").symlink_to(tmp_path / "elsewhere")
    for given in (str(tmp_path / "elsewhere"), str(folder.parent / "link"), str(folder.parent), "../..", ""):
        with pytest.raises(BadBaseModel, match="expected a folder below"):
            base_models.register(project, name="x", folder=given)
    for taken in ("smollm2", "MiniLM"):
        with pytest.raises(BadBaseModel, match="no usable name"):
            base_models.register(project, name=taken, folder=str(folder))


def test_the_page_registers_and_forgets_for_engineers_alone(client: Client, folder: Path) -> None:
    project = factories.make_project(by=factories.make_user("engineer", is_superuser=True))
    page = reverse("training:base_models", args=[project.slug])
    client.force_login(factories.add_member(project))
    assert client.get(page).status_code in (403, 404)
    client.force_login(factories.make_user(is_superuser=True))
    bad = client.post(page, {"name": "x", "folder": "/etc"})
    assert (bad.status_code, "expected a folder below" in bad.content.decode()) == (400, True)
    (folder / "model.bin").write_text("x")
    chinese = client.post(
        page, {"name": "x", "folder": str(folder)}, headers={"Accept-Language": "zh-hans"}
    ).text
    assert f"无法登记该文件夹：{folder} 中有 model.bin，读取这种格式时可能会运行代码" in chinese
    (folder / "model.bin").unlink()
    client.post(page, {"name": "own", "folder": str(folder), "is_default": "on"})
    assert "LlamaForCausalLM" in client.get(page).content.decode()
    client.post(reverse("training:base_model_change", args=[project.slug]), {"name": "own", "remove": "1"})
    assert not reads.for_project(project).exists()


def test_each_kind_has_a_default_of_its_own(client: Client, folder: Path) -> None:
    project = factories.make_project()
    own = make(folder.parent / "bert", architectures=["BertModel"], model_type="bert")
    base_models.register(project, name="own", folder=str(folder), is_default=True)
    base_models.register(project, name="bert", folder=str(own), is_default=True)
    kind = reads.Kind.ENCODER
    assert (reads.find(project, "").name, reads.find(project, "", kind).name) == ("own", "bert")
    assert reads.names(project, kind) == ["bert", "minilm"]
    with pytest.raises(BadBaseModel, match="no language model “bert”"):
        reads.find(project, "bert")
    client.force_login(factories.make_user(is_superuser=True))
    change = reverse("training:base_model_change", args=[project.slug])
    client.post(change, {"name": "", "kind": "encoder", "default": "1"})
    assert (reads.find(project, "").name, reads.find(project, "", kind).name) == ("own", "minilm")
    assert reads.find(project, "", kind).path == str(encoder.default_encoder_path())
    answer = client.post(change, {"name": "own", "kind": "encoder", "default": "1"}, follow=True)
    assert "no base model “own”" in answer.text


class Hub:
    """One model on a hub that is a folder here."""

    def __init__(
        self, folder: Path, *, names: tuple[str, ...] = ("config.json", "model.safetensors"), size: int = 40
    ) -> None:
        self.folder, self.names, self.size = folder, names, size
        self.asked: list[dict[str, Any]] = []

    def model_info(self, hub_id: str, **how: Any) -> Any:
        assert how["token"] is False
        files = [SimpleNamespace(rfilename=name, size=self.size) for name in self.names]
        return SimpleNamespace(siblings=files, sha="0123456789abcdef0123")

    def hf_hub_download(self, hub_id: str, name: str, *, local_dir: Path, **how: Any) -> None:
        self.asked.append({"hub_id": hub_id, "name": name, **how})
        local_dir.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.folder / name, local_dir / name)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    there = make(tmp_path / "there", architectures=["XLMRobertaModel"], model_type="xlm-roberta")
    names = ("a.bin", "config.json", "model.safetensors", "modeling.py", "onnx/model.onnx", "tokenizer.json")
    found = Hub(there, names=names)
    monkeypatch.setattr(huggingface_hub, "model_info", found.model_info)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", found.hf_hub_download)
    return found


def test_a_model_on_a_hub_is_fetched_by_a_job_and_registered(client: Client, hub: Hub) -> None:
    project = factories.make_project()
    client.force_login(factories.make_user(is_superuser=True))
    page = reverse("training:base_models", args=[project.slug])
    answer = client.post(page, {"name": "xlm", "folder": "FacebookAI/xlm-roberta-base", "is_default": "on"})
    job = Job.objects.get(kind=base_models.FETCH)
    assert (answer.status_code, answer["Location"]) == (302, job.get_absolute_url())
    drain()
    job.refresh_from_db()
    assert job.result == {"name": "xlm", "architecture": "XLMRobertaModel"}, job.error
    row = reads.for_project(project).get()
    assert (row.kind, row.is_default, Path(row.folder).name) == (
        *("encoder", True),
        "FacebookAI--xlm-roberta-base-0123456789ab",
    )
    assert [one["name"] for one in hub.asked] == ["config.json", "model.safetensors", "tokenizer.json"]
    as_nobody = {"hub_id": "FacebookAI/xlm-roberta-base", "revision": "0123456789abcdef0123", "token": False}
    assert all({**as_nobody, "name": one["name"]} == one for one in hub.asked)
    out = StringIO()
    shutil.rmtree(row.folder)
    call_command("base_model", project.slug, register="FacebookAI/xlm-roberta-base", name="again", stdout=out)
    assert "fetching config.json (0 MB are here)" in out.getvalue()
    assert "registered again: XLMRobertaModel" in out.getvalue()
    assert "encoder:\n  again\n  xlm (default)\n  minilm\n" in out.getvalue()


def test_fetching_stops_between_two_files_and_registers_nothing(hub: Hub) -> None:
    project = factories.make_project()
    job = base_models.request(project, name="xlm", folder="owner/name")
    assert isinstance(job, Job)

    def stopped(here: float, total: float, text: str = "") -> None:
        told.append((here, total, text))
        if here:
            raise Cancelled

    told: list[tuple[float, float, str]] = []
    ctx: Any = SimpleNamespace(
        params=job.params, subject=project, job=job, log=lambda _text: None, progress=stopped
    )
    with pytest.raises(Cancelled):
        base_models.perform_fetch(ctx)
    assert told == [(0, 120, "config.json"), (40, 120, "model.safetensors")]
    assert [one["name"] for one in hub.asked] == ["config.json"]
    assert not reads.for_project(project).exists()


def test_a_model_that_would_fill_the_disk_is_not_fetched(
    client: Client, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = factories.make_project()
    free = base_models.LEFT_FREE + 3 * 2**30
    monkeypatch.setattr(base_models.shutil, "disk_usage", lambda _place: SimpleNamespace(free=free))
    hub.size = 2**30  # three files of it just fit
    job = base_models.request(project, name="xlm", folder="owner/name")
    assert isinstance(job, Job)
    free -= 1
    client.force_login(factories.make_user(is_superuser=True))
    page = reverse("training:base_models", args=[project.slug])
    refused = client.post(page, {"name": "x", "folder": "owner/name"})
    words = html.unescape(refused.text).replace("\xa0", " ")
    assert "owner/name takes 3.0 GB of the disk, of which 5.0 GB are free and 2.0 GB have to stay" in words
    assert (refused.status_code, Job.objects.get()) == (400, job)
    drain()  # the disk has filled since it was asked for
    job.refresh_from_db()
    assert (job.state, job.error_code, hub.asked) == ("failed", "bad_base_model", [])


def test_a_hub_that_cannot_be_reached_or_has_pickles_alone_is_refused(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = factories.make_project()
    client.force_login(factories.make_user(is_superuser=True))
    page = reverse("training:base_models", args=[project.slug])

    def post(language: str = "en") -> str:
        given = {"name": "x", "folder": "owner/name"}
        answer = client.post(page, given, headers={"Accept-Language": language})
        assert answer.status_code == 400
        assert "cannot be registered" not in answer.text
        return html.unescape(answer.text)

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert "The hub cannot be reached from this machine (OfflineModeIsEnabled): fetch owner/name" in post()
    assert "本机无法连接模型库（OfflineModeIsEnabled）：请在别处下载 owner/name" in post("zh-hans")
    monkeypatch.setattr(
        huggingface_hub, "model_info", Hub(tmp_path, names=("a.bin", "b/c.safetensors")).model_info
    )
    assert "owner/name holds no safetensors" in post()

    def missing(*_given: Any, **_how: Any) -> None:
        raise RepositoryNotFoundError(
            "none", response=SimpleNamespace(status_code=404, headers={}, request=None)
        )

    monkeypatch.setattr(huggingface_hub, "model_info", missing)
    assert "The hub gives no model owner/name (404)" in post()
    assert not Job.objects.exists()
