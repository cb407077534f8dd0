"""Sums of products of symbols: factors by product, and what can be said without any value."""

from math import gcd

Terms = dict[int, int]
"""Product of symbols → factor. A product is coded by its exponents, four bits for each symbol."""

BITS = 4
CONSTANT = 0


def factors_of(product: int) -> tuple[int, ...]:
    """Numbers of the symbols a product is made of, each as often as it occurs."""
    factors: list[int] = []
    symbol = 0
    while product:
        factors += [symbol] * (product % (1 << BITS))
        product >>= BITS
        symbol += 1
    return tuple(factors)


def difference(one: Terms, other: Terms) -> Terms:
    """Terms of a difference, without those that cancel."""
    terms = dict(one)
    for product, factor in other.items():
        left = terms.get(product, 0) - factor
        if left:
            terms[product] = left
        else:
            terms.pop(product, None)
    return terms


def sign_of(terms: Terms) -> int:
    """Sign of a sum whose terms all have one; symbols are positive. 0 where it depends."""
    if not terms:
        return 0
    factors = terms.values()
    if min(factors) > 0:
        return 1
    return -1 if max(factors) < 0 else 0


def reduced(terms: Terms) -> Terms:
    """Terms without what they have in common, which does not change the sign of their sum."""
    divisor = gcd(*terms.values())
    if CONSTANT in terms:
        return {product: factor // divisor for product, factor in terms.items()}
    shared, place = 0, 0
    while any(product >> place for product in terms):
        mask = ((1 << BITS) - 1) << place
        shared += min(product & mask for product in terms)
        place += BITS
    return {product - shared: factor // divisor for product, factor in terms.items()}
