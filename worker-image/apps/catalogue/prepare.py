"""`python -m catalogue.prepare`: wait for the database, make its tables, and put in the products that are not there.

An init container of the workers runs it, so that no task meets a database without tables.
"""

import os
import time

import django
from django.core.management import call_command

ANSWER_SECONDS = 120
"""How long the database may take to start."""
SKUS = tuple(f"tea-{number}" for number in range(1, 13))
FIRST_PRICE = "5.00"
_LOCK = 7_105
"""Two pods that start at once must not both make the tables; any number that nobody else uses."""


def main() -> None:
    """All of it; what is there already stays as it is."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    django.setup()
    until_it_answers()
    from django.db import connection  # it needs the settings

    from catalogue.models import Product

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    call_command("migrate", verbosity=0, interactive=False)
    products = [Product(sku=sku, price=FIRST_PRICE) for sku in SKUS]
    Product.objects.bulk_create(products, ignore_conflicts=True)
    connection.close()  # which gives the lock back


def until_it_answers() -> None:
    """SystemExit with a sentence when the database does not."""
    from django.db import OperationalError, connection

    end = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            connection.ensure_connection()
        except OperationalError as error:
            if time.monotonic() > end:
                raise SystemExit(f"the database did not answer within {ANSWER_SECONDS} s: {error}") from error
            time.sleep(1)
        else:
            return


if __name__ == "__main__":
    main()
