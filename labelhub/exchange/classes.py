"""Which class of the project a folder names."""

import re
from collections.abc import Sequence

from labelhub.exchange.items import Item
from labelhub.projects.models import LabelClass, Project
from labelhub.projects.naming import folded, full_key

_ARTICLE = re.compile(r"^(an?|the)[\s-]+", re.IGNORECASE)


class NoSuchClass(ValueError):
    """A picture lies in a folder that names no class; the message names both."""


class ClassFolders:
    """The classes of a project by the folder names that mean them.

    A class named "a bicycle" has the folder ``a-bicycle``, ``a bicycle``, ``bicycle``, ``Bicycle``;
    one named "собака" has ``собака``, and its key.
    """

    def __init__(self, project: Project) -> None:
        self._classes = list(project.label_classes.all())
        self._by_key = {row.key: row for row in self._classes}
        for row in self._classes:
            for words in (row.name, _ARTICLE.sub("", row.name), _ARTICLE.sub("", row.key)):
                self._by_key.setdefault(folded(words), row)
        self._by_key.pop("", None)  # of a name that was changed to signs alone

    def named(self, folders: Sequence[str]) -> LabelClass | None:
        """The class of the nearest folder that names one."""
        found = (self._by_key.get(folded(folder)) for folder in folders)
        return next((row for row in found if row is not None), None)

    def required(self, item: Item) -> LabelClass | None:
        """The class of a picture; None for one that lies in no folder. Raises NoSuchClass."""
        label_class = self.named(item.folders)
        if label_class is None and item.folders:
            names = ", ".join(full_key(row.name) or row.name for row in self._classes)
            raise NoSuchClass(
                f'class folder "{item.folders[0]}" matches no class of the project ({names})'
            )
        return label_class
