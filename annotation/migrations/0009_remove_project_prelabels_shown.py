from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("annotation", "0008_modes_of_projects_and_answers")]

    operations = [migrations.RemoveField(model_name="project", name="prelabels_shown")]
