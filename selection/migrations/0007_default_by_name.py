from __future__ import annotations

from typing import Any

from django.db import migrations

THEN = "margin_diverse"  # what "default" was until now


def forwards(apps: Any, schema_editor: Any) -> None:
    """Rounds so far keep what they picked by, so that they replay and their free slots are ranked as before."""
    for round_ in apps.get_model("selection", "Round").objects.filter(spec__strategy="default").iterator():
        round_.spec["strategy"] = THEN
        round_.save(update_fields=["spec"])


class Migration(migrations.Migration):
    dependencies = [("selection", "0006_index_tried")]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop, elidable=False)]
