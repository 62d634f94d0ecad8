"""The products, as the database keeps them."""

from django.db import models


class Product(models.Model):  # type: ignore[misc]  # Django publishes no types
    """One product; the database itself refuses a price that is not above zero."""

    sku = models.CharField(max_length=32, primary_key=True)
    price = models.DecimalField(max_digits=8, decimal_places=2)

    class Meta:
        """What the table must hold at any time."""

        constraints = (models.CheckConstraint(condition=models.Q(price__gt=0), name="price_above_zero"),)
