"""All products under some roofs, and what there is to say about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from minetrace.sources.archive import Archive
from minetrace.sources.landsat import landsat_products
from minetrace.sources.product import Product
from minetrace.sources.safe import safe_products

MOST_NAMED = 5  # incomplete products that are named one by one


def products_in(archives: Sequence[Archive]) -> list[Product]:
    """Every product of every kind, in the order of the archives.

    Raises:
        RasterError: a product's metadata are not there, or cannot be read.
    """
    return [
        product
        for archive in archives
        for product in (*safe_products(archive), *landsat_products(archive))
    ]


def tell(products: Sequence[Product]) -> list[str]:
    """What was found, and what is missing, in sentences."""
    kinds = Counter(product.kind for product in products)
    found = ", ".join(f"{n} {kind} product{'s' * (n > 1)}" for kind, n in sorted(kinds.items()))
    incomplete = [product for product in products if product.missing]
    said = [f"{product.name}: {product.missing}" for product in incomplete[:MOST_NAMED]]
    if len(incomplete) > MOST_NAMED:
        said.append(f"{len(incomplete) - MOST_NAMED} more products are incomplete")
    return [f"found {found}", *said]
