"""Projects that showed no suggestions are labelled by hand; answers whose suggestion came too late say so."""

from django.db import migrations

BLOCK = 5000


def forwards(apps, schema_editor):
    apps.get_model("annotation", "Project").objects.filter(prelabels_shown=False).update(mode="manual")
    _renamed(apps, "hidden", "unseen")


def backwards(apps, schema_editor):
    apps.get_model("annotation", "Project").objects.filter(mode="manual").update(prelabels_shown=False)
    _renamed(apps, "unseen", "hidden")


def _renamed(apps, old, new):
    """Nothing was hidden by a draw before: what was called hidden had come too late."""
    annotations = apps.get_model("annotation", "Annotation").objects
    while found := list(annotations.filter(prelabel_mode=old).values_list("pk", flat=True)[:BLOCK]):
        annotations.filter(pk__in=found).update(prelabel_mode=new)


class Migration(migrations.Migration):
    dependencies = [("annotation", "0007_project_mode")]

    operations = [migrations.RunPython(forwards, backwards)]
