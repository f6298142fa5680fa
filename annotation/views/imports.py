"""Data in: upload, columns, progress, rejected rows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotation import permissions
from annotation.errors import AnnotationError, ImportRefused, SchemaMissing
from annotation.forms import ReadingForm, UploadForm
from annotation.mapping_form import MappingForm
from annotation.models import Import, Project, SchemaVersion
from annotation.selectors import import_samples, schemas
from annotation.selectors import imports as reads
from annotation.selectors.projects import get_project
from annotation.services import imports
from annotation.views.downloads import download

PAGE = 100


@login_required
@require_http_methods(["GET", "POST"])
def import_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Upload a file; below, what was imported before. `?mends=` names an import whose rejected rows come
    back.
    """
    project = get_project(request.user, slug, permissions.can_engineer)
    mends = _mended(project, request.POST.get("mends") or request.GET.get("mends"))
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            import_run = imports.upload(
                project,
                given["file"],
                given["file"].name,
                by=request.user,
                mends=mends,
                encoding=given["encoding"] or None,
                has_header=not given["no_header"],
            )
        except ImportRefused as error:
            form.add_error("file", str(error))
        else:
            return redirect("annotation:import_detail", slug=slug, uuid=import_run.uuid)
    context = {"project": project, "form": form, "mends": mends, "imports": reads.recent(project)[:50]}
    return render(request, "annotation/import/list.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def import_detail(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    """One import: choose its columns, watch it, see what was turned away."""
    project = get_project(request.user, slug, permissions.can_engineer)
    import_run = get_object_or_404(project.imports.select_related("project", "mends"), uuid=uuid)
    if import_run.state not in (Import.State.UPLOADED, Import.State.FAILED):
        context = {**_state(request, import_run), **_rejected(request, import_run)}
        return render(request, "annotation/import/detail.html", context)
    preview = reads.preview(import_run)
    if preview is None:
        form = ReadingForm(initial={"encoding": import_run.file_info.get("guess", "")})
        context = {"project": project, "import_run": import_run, "reading": form}
        return render(request, "annotation/import/reading.html", context)
    schema = schemas.current(project)
    wants_labels = bool(
        import_run.mapping.get(reads.LABELS_FROM_FILE, schema is None and preview.mapping.label)
    )
    initial = MappingForm.values(preview.mapping, labels_from_file=wants_labels)
    form = MappingForm(request.POST or None, info=preview.info, types=_types(schema), initial=initial)
    shows = request.POST.get("act") == "show"
    if request.method == "POST" and form.is_valid() and not shows and _started(request, import_run, form):
        return redirect("annotation:import_detail", slug=slug, uuid=uuid)
    chosen = form.mapping() if form.is_bound and form.is_valid() else preview.mapping
    context = {
        "project": project,
        "import_run": import_run,
        "preview": preview,
        "columns": preview.info.columns[:12],
        "rows": [[row.get(c, "") for c in preview.info.columns[:12]] for row in preview.info.preview],
        "schema": schema,
        "compares": "preference" in _types(schema)[:1],
        "sample": import_samples.first_item(import_run, chosen, labels_from_file=_takes_labels(form)),
        "form": form,
        "reading": ReadingForm(initial={"encoding": preview.info.encoding}),
        "job": reads.job(import_run),
    }
    return render(request, "annotation/import/columns.html", context, status=422 if form.errors else 200)


def _types(schema: SchemaVersion | None) -> list[str]:
    return [one["type"] for one in schema.definition["fields"]] if schema else []


def _takes_labels(form: MappingForm) -> bool:
    """Whether the labels of the file are to be added, as the form says or begins with."""
    return bool(form["labels_from_file"].value())


@login_required
@require_POST
def import_preview(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    """The first item under the columns as they stand in the form. Writes nothing."""
    project = get_project(request.user, slug, permissions.can_engineer)
    import_run = get_object_or_404(project.imports.select_related("project"), uuid=uuid)
    info, schema = reads.info(import_run), schemas.current(project)
    sample = import_samples.FirstItem()
    if info is not None:
        form = MappingForm(request.POST, info=info, types=_types(schema))
        if form.is_valid():
            sample = import_samples.first_item(
                import_run, form.mapping(), labels_from_file=_takes_labels(form)
            )
    return render(request, "annotation/import/_preview.html", {"project": project, "sample": sample})


def _started(request: HttpRequest, import_run: Import, form: MappingForm) -> bool:
    try:
        imports.start(
            import_run,
            form.mapping(),
            by=request.user,  # type: ignore[arg-type]
            labels_from_file=form.cleaned_data["labels_from_file"],
        )
    except SchemaMissing as error:
        form.add_error("label", str(error))
    except AnnotationError as error:
        form.add_error(None, str(error))
    return not form.errors


@login_required
@require_POST
def import_read(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    """Read the head of an uploaded file in another way (encoding, delimiter, header)."""
    project = get_project(request.user, slug, permissions.can_engineer)
    import_run = get_object_or_404(project.imports.select_related("project"), uuid=uuid)
    form = ReadingForm(request.POST)
    if form.is_valid():
        try:
            imports.look_again(import_run, **form.reading())
        except ImportRefused as error:
            form.add_error(None, str(error))
        else:
            return redirect("annotation:import_detail", slug=slug, uuid=uuid)
    context = {"project": project, "import_run": import_run, "reading": form}
    return render(request, "annotation/import/reading.html", context, status=422)


@login_required
@require_POST
def import_discard(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    project = get_project(request.user, slug, permissions.can_engineer)
    import_run = get_object_or_404(project.imports.select_related("project"), uuid=uuid)
    imports.discard(import_run, by=request.user)  # type: ignore[arg-type]
    messages.success(request, _("The file %(file)s is forgotten.") % {"file": import_run.file_name})
    return redirect("annotation:import", slug=slug)


@login_required
@require_GET
def import_state(request: HttpRequest, slug: str, uuid: UUID) -> HttpResponse:
    """The part of the page that renews itself while the import runs."""
    project = get_project(request.user, slug, permissions.can_engineer)
    import_run = get_object_or_404(project.imports.select_related("project"), uuid=uuid)
    return render(request, "annotation/import/_state.html", _state(request, import_run))


@login_required
@require_GET
def import_mend(request: HttpRequest, slug: str, uuid: UUID) -> StreamingHttpResponse:
    """The rejected rows in the form of the file, to be mended."""
    project = get_project(request.user, slug, permissions.can_engineer)
    import_run = get_object_or_404(project.imports, uuid=uuid)
    return download(
        reads.mend_file(import_run), reads.mend_file_name(import_run), "text/plain; charset=utf-8"
    )


@login_required
@require_GET
def import_report(request: HttpRequest, slug: str, uuid: UUID) -> StreamingHttpResponse:
    """The rejected rows with line and reason."""
    project = get_project(request.user, slug, permissions.can_engineer)
    import_run = get_object_or_404(project.imports, uuid=uuid)
    return download(reads.rejected_report(import_run), "rejected.csv", "text/csv; charset=utf-8")


def _state(request: HttpRequest, import_run: Import) -> dict[str, Any]:
    job = reads.job(import_run)
    return {
        "project": import_run.project,
        "import_run": import_run,
        "job": job,
        "is_running": import_run.state == Import.State.RUNNING,
        "polled": request.headers.get("X-Requested-With") == "poll",
    }


def _rejected(request: HttpRequest, import_run: Import) -> dict[str, Any]:
    """A page of rejected rows: `?after=` the number of the last one seen."""
    if not import_run.rejected:
        return {}
    found = import_run.rejected_rows.order_by("pk")
    after = request.GET.get("after", "")
    if after.isdecimal() and len(after) < 19:
        found = found.filter(pk__gt=int(after))
    rows = list(found[: PAGE + 1])
    return {
        "rejected": rows[:PAGE],
        "older_url": f"?after={rows[PAGE - 1].pk}" if len(rows) > PAGE else "",
        "newer_url": request.path if after else "",
        "codes": reads.rejected_by_code(import_run).most_common(),
        "can_mend": reads.can_mend(import_run),
    }


def _mended(project: Project, given: str | None) -> Import | None:
    try:
        return project.imports.filter(uuid=UUID(given)).first() if given else None
    except ValueError:
        return None
