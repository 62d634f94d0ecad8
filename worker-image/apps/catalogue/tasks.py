"""The catalogue's tasks; their names are catalogue.tasks.set_price and so on, as Celery derives them."""

from decimal import Decimal

from celery import shared_task
from django.db import transaction

from catalogue.models import Product


@shared_task
def set_price(sku: str, price: str) -> dict[str, str]:
    """Write the new price and read it back. It may run twice: the second time changes nothing.

    Product.DoesNotExist for a product that there is not; IntegrityError for a price that the database refuses.
    """
    with transaction.atomic():
        product = Product.objects.select_for_update().get(sku=sku)
        product.price = Decimal(price)
        product.save(update_fields=["price"])
    product.refresh_from_db()
    return {"sku": sku, "price": str(product.price)}
