"""Taking changes back that were made to a document, where it was changed again since."""

from __future__ import annotations

from collections.abc import MutableMapping

__all__ = ["ABSENT", "undone"]


class _Absent:
    """What stands for a key that is not there."""


ABSENT = _Absent()


def undone(before: object, after: object, now: object) -> object:
    """What `now` would be if `before` had never been made `after`: whatever still is as in `after`
    becomes what it was in `before`, and what somebody changed since stays. ABSENT means: nothing.

    Tables are changed in place, so that their comments stay.
    """
    if now == after:
        return before
    if isinstance(now, MutableMapping) and isinstance(after, MutableMapping):
        old = before if isinstance(before, MutableMapping) else {}
        for key in dict.fromkeys([*after, *old]):
            was = now.get(key, ABSENT)
            value = undone(old.get(key, ABSENT), after.get(key, ABSENT), was)
            if value is ABSENT:
                now.pop(key, None)
            elif value is not was:
                now[key] = value
        return now if now or isinstance(before, MutableMapping) else ABSENT
    if isinstance(now, list) and isinstance(after, list):
        old_items = before if isinstance(before, list) else []
        lost = [item for item in old_items if item not in after and item not in now]
        return lost + [item for item in now if item not in after or item in old_items]
    return now
