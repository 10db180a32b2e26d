"""When each account was proven gone. For those that are already: when the last of their changes was read back."""

from django.db import migrations, models


def fill(apps, schema_editor):
    changes = apps.get_model("access", "Change").objects
    for account in apps.get_model("access", "AccountRecord").objects.filter(state="verified"):
        proven = changes.filter(account=account, is_current=True, verified_at__isnull=False)
        last = proven.order_by("-verified_at").values_list("verified_at", flat=True).first()
        account.revoked_at = last or account.last_read_at
        account.save(update_fields=["revoked_at"])


class Migration(migrations.Migration):
    dependencies = [("access", "0002_change_came_back_at")]
    operations = [
        migrations.AddField(
            model_name="accountrecord",
            name="revoked_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
