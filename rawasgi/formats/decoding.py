"""What the incremental decoders have in common: an error ends a decoder, and each further call raises it again."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

# Makes an error whose ``items`` are the given ones.
Fault: TypeAlias = Callable[[Sequence[object]], Exception]


class BaseDecoder:
    """A decoder that an error ends."""

    _fault: Fault | None = None

    def _end_with(self, fault: Fault, items: Sequence[object]) -> Exception:
        """End the decoder; return the error to raise, whose *items* were complete before it."""
        self._fault = fault
        return fault(items)

    def _check_fault(self) -> None:
        """Raise the error that ended the decoder, without items."""
        # Made anew: one object would get a longer traceback each time, and keep the frames of each caller alive.
        if self._fault is not None:
            raise self._fault([])
