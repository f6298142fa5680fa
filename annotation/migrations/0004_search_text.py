"""The table that texts are searched in: FTS5 on SQLite, a tsvector with a GIN index on PostgreSQL."""

from django.db import migrations

CREATE = {
    "sqlite": ["CREATE VIRTUAL TABLE annotation_searchtext USING fts5(words, tokenize='ascii', columnsize=0)"],
    "postgresql": [
        "CREATE TABLE annotation_searchtext (key bigint PRIMARY KEY, words tsvector NOT NULL)",
        "CREATE INDEX annotation_searchtext_words ON annotation_searchtext USING gin (words)",
    ],
}


def create(apps, schema_editor):
    for statement in CREATE[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def drop(apps, schema_editor):
    schema_editor.execute("DROP TABLE IF EXISTS annotation_searchtext")


class Migration(migrations.Migration):
    dependencies = [("annotation", "0003_data_manager")]

    operations = [migrations.RunPython(create, drop, elidable=False)]
