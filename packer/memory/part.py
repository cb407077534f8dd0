"""One part of an estimate: bytes, the band around them, and how far they can be trusted."""

from typing import NamedTuple

from packer.domain.basis import Basis


class Part(NamedTuple):
    """Bytes of one part on one device, with the band the real figure lies in [bytes]."""

    bytes: int
    low: int
    high: int
    basis: Basis

    @classmethod
    def exact(cls, count: int) -> "Part":
        """A part that llama.cpp allocates to the byte."""
        return cls(count, count, count, Basis.EXACT)

    @classmethod
    def scaled(cls, count: int, low: float, high: float, basis: Basis) -> "Part":
        """A part whose band is a ratio of it."""
        return cls(count, int(count * low), -int(-count * high // 1), basis)

    def and_exactly(self, count: int) -> "Part":
        """The part with so many bytes more that are sure."""
        return Part(self.bytes + count, self.low + count, self.high + count, self.basis)


NOTHING = Part.exact(0)
