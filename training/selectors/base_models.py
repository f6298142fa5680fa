"""Which models a project can train: language models that are tuned, and encoders that are fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from annotation.models import Project
from training.errors import BadBaseModel
from training.models import BaseModel, TrainingRun

Kind = BaseModel.Kind
PACKAGED = "smollm2"  # SmolLM2-135M-Instruct, where its package is installed
PACKAGED_ENCODER = "minilm"  # all-MiniLM-L6-v2, always there
RESERVED = (PACKAGED, PACKAGED_ENCODER)


@dataclass(frozen=True, kw_only=True)
class Base:
    """`path`: a folder, or the packaged GGUF file. `sha256`: its fingerprint."""

    name: str
    path: str
    sha256: str

    def told(self) -> dict[str, str]:
        """What a run keeps of it: where it lies may change."""
        return {"name": self.name, "sha256": self.sha256}


def for_project(project: Project) -> QuerySet[BaseModel]:
    return BaseModel.objects.filter(project=project).select_related("created_by")


def packaged() -> Base | None:
    """SmolLM2, if `make setup-smollm2` was run."""
    from training.learning import language_model

    try:
        path = language_model.default_path()
    except ValueError:
        return None
    return Base(name=PACKAGED, path=str(path), sha256=f"{path.name}:{path.stat().st_size}")


def packaged_encoder() -> Base:
    """MiniLM. Its bytes come with the release, so their number tells one from another."""
    from training.learning import encoder  # numpy is all it loads until a model is loaded

    path = encoder.default_encoder_path()
    weights = path / "model.safetensors"
    return Base(name=PACKAGED_ENCODER, path=str(path), sha256=f"{weights.name}:{weights.stat().st_size}")


def default(project: Project, kind: str = Kind.LANGUAGE) -> Base | None:
    """What is trained where nothing is named: the project's default, else the packaged one, else none."""
    chosen = for_project(project).filter(is_default=True, kind=kind).first()
    return _base(chosen) if chosen else _packaged(kind)


def find(project: Project, name: str, kind: str = Kind.LANGUAGE) -> Base:
    """The base model of that name; with an empty one the default.

    Raises:
        BadBaseModel: there is none of that kind.
    """
    if name in RESERVED:
        ours = _packaged(kind)
        found = ours if ours and ours.name == name else None
    elif name:
        row = for_project(project).filter(name=name, kind=kind).first()
        found = _base(row) if row else None
    else:
        found = default(project, kind)
    if found is None:
        told = {"name": name or _("default"), "known": ", ".join(names(project, kind)) or _("none")}
        if kind == Kind.ENCODER:
            raise BadBaseModel(
                _(
                    "Found no encoder “%(name)s”; there is: %(known)s. Register an encoder's folder on the page "
                    "“Base models”."
                )
                % told
            )
        raise BadBaseModel(
            _(
                "Found no language model “%(name)s”; there is: %(known)s. Run `make setup-smollm2`, or register "
                "a model's folder on the page “Base models”."
            )
            % told
        )
    return found


def names(project: Project, kind: str = Kind.LANGUAGE) -> list[str]:
    """What `find` knows, the packaged one last."""
    own = list(for_project(project).filter(kind=kind).values_list("name", flat=True))
    ours = _packaged(kind)
    return [*own, *([ours.name] if ours else [])]


def folder_of(run: TrainingRun) -> Path:
    """Where the base model lies that a run by rewards makes: a folder of its own, whatever its name."""
    return roots()[0] / f"reinforced-{run.uuid}"


def made_by(run: TrainingRun) -> BaseModel | None:
    """The base model that a run by rewards has made; None before it is registered and after it was forgotten."""
    return for_project(run.project).filter(folder=str(folder_of(run))).first()


def roots() -> list[Path]:
    """The folders under which models may be registered."""
    own = Path(settings.DATA_DIR) / "models"
    return [own.resolve(), *(Path(one).expanduser().resolve() for one in settings.MODEL_FOLDERS)]


def _packaged(kind: str) -> Base | None:
    return packaged_encoder() if kind == Kind.ENCODER else packaged()


def _base(row: BaseModel) -> Base:
    return Base(name=row.name, path=row.folder, sha256=row.fingerprint)
