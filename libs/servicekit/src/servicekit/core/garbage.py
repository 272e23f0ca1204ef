"""How often a service looks for garbage: never among what lives as long as it does, and less often than Python would.

Python looks each 700 objects that were made and not freed, and now and then through all there are: a pause of a tenth
of a second in a service with a few hundred thousand, in which nobody is answered. A call makes hundreds of objects,
nearly all of which end by their counts. What this saves: `make bench-gateway-before`.
"""

from __future__ import annotations

import gc

YOUNG = 3_000
"""Objects made and not freed until the youngest are looked through. Three times as many bring no more, and hold what
hangs on garbage, such as large bodies, for longer."""


def keep_garbage_cheap() -> None:
    """To be called once a service is built: what is there now is never looked through again.

    Processes start without looking for garbage (`gc.disable()` before they import): from here on they do.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(YOUNG)
