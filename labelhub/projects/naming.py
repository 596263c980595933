"""Names in any script: which of them say the same, and the ASCII keys that stand for them."""

import unicodedata
from collections.abc import Collection, Sequence
from itertools import chain, count

from django.utils.text import slugify

LONGEST_KEY = 60  # letters: of a project's slug and of a class's key
ROOM = 6  # of these, for a number that tells two keys apart


def folded(name: str) -> str:
    """The letters and digits of a name, by which two are compared; empty without any."""
    if _is_plain(name):
        return slugify(name)
    letters = unicodedata.normalize("NFKC", name).casefold()
    return "-".join("".join(one if _is_letter(one) else " " for one in letters).split())


def full_key(name: str) -> str:
    """The key that says all of a name; empty for a long name, or one in another script."""
    key = slugify(name)
    return key if _is_plain(name) and len(key) <= LONGEST_KEY else ""


def key_for(name: str, *, otherwise: str, taken: Collection[str]) -> str:
    """The full key, or else one that is not taken and says of the name what it can."""
    if key := full_key(name):
        return key
    begun = slugify(name)[: LONGEST_KEY - ROOM].strip("-_") or otherwise
    numbered = (f"{begun}-{number}" for number in count(2))
    return next(key for key in chain([begun], numbered) if key not in taken)


def class_keys(names: Sequence[str], *, taken: Collection[str]) -> list[str]:
    """A key for each class; no class gets one that says all of another's name."""
    used = {*taken, *map(full_key, names)}
    keys = []
    for number, name in enumerate(names, 1):
        keys.append(key_for(name, otherwise=f"class-{number}", taken=used))
        used.add(keys[-1])
    return keys


def _is_plain(name: str) -> bool:
    """Whether a key can say all of it: its letters are ASCII, once accents are off."""
    bare = unicodedata.normalize("NFKD", name)
    return all(one.isascii() for one in bare if one.isalnum())


def _is_letter(one: str) -> bool:
    """Marks are letters too: in many scripts they are the vowels."""
    return unicodedata.category(one)[0] in "LMN"
