from django.db import migrations, models

import annotation.models.fields


class Migration(migrations.Migration):
    dependencies = [("annotation", "0006_key_map")]

    operations = [
        migrations.AddField(
            model_name="project",
            name="mode",
            field=models.CharField(
                choices=[
                    ("manual", "by hand: suggestions are never shown"),
                    ("assisted", "assisted: people see suggestions and decide"),
                    ("hybrid", "hybrid: reviewers may also accept sure suggestions in bulk"),
                ],
                default="assisted",
                help_text="A label may have a stricter mode of its own, such as by hand for what is safety-critical.",
                max_length=8,
                verbose_name="suggestions",
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="prelabel_hidden_share",
            field=annotation.models.fields.ShareField(
                default=0.1,
                help_text=(
                    "Share of items on which the suggestion is hidden, to measure how far it pulls people along."
                ),
                verbose_name="suggestions kept back",
            ),
        ),
        migrations.AlterField(
            model_name="annotation",
            name="prelabel_mode",
            field=models.CharField(
                choices=[("shown", "shown"), ("hidden", "hidden"), ("unseen", "not seen"), ("none", "none")],
                default="none",
                max_length=8,
            ),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.CheckConstraint(
                condition=models.Q(("prelabel_hidden_share__gte", 0), ("prelabel_hidden_share__lte", 1)),
                name="project_prelabel_hidden_share_range",
            ),
        ),
    ]
