"""The table of products."""

from django.db import migrations, models


class Migration(migrations.Migration):  # type: ignore[misc]  # Django publishes no types
    """The first one."""

    initial = True
    operations = (
        migrations.CreateModel(
            name="Product",
            fields=[
                ("sku", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("price", models.DecimalField(decimal_places=2, max_digits=8)),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(price__gt=0), name="price_above_zero")],
            },
        ),
    )
