"""Names that modules had in earlier versions: notebooks of users import them, and go on working.

Standard library only.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType


class FormerNames(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds a module under the name it had before it moved.

    Args:
        names: former name to present name, both with their packages; several present names where the module was
            split.
    """

    def __init__(self, names: Mapping[str, str | tuple[str, ...]]) -> None:
        self._names = dict(names)
        self._specs: dict[str, importlib.machinery.ModuleSpec | None] = {}

    def install(self) -> None:
        """Ask this finder for modules that all others do not know."""
        sys.meta_path.append(self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of a former name; None for all others."""
        del path, target
        if fullname not in self._names:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return the module under its present name: both names are one module. Of a split one, return one with all
        public names of its parts.
        """
        names = self._names[spec.name]
        if isinstance(names, tuple):
            joined = ModuleType(spec.name)
            for name in names:
                part = importlib.import_module(name)
                joined.__dict__.update({key: value for key, value in vars(part).items() if not key.startswith("_")})
            return joined
        module = importlib.import_module(names)
        self._specs[module.__name__] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back, which the import of a former name replaces. It was executed before."""
        module.__spec__ = self._specs.get(module.__name__, module.__spec__)
