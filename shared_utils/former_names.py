"""Names that modules and their contents had in earlier versions: notebooks of users import them, and go on working.

Standard library only.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any


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


def former_attributes(module: str, homes: str | Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module whose contents moved: ``__getattr__ = former_attributes(__name__, …)``.

    Args:
        module: name of the module that held them.
        homes: name of the module that holds all of them now, or of each name that moved.
    """

    def get(name: str) -> Any:
        home = homes if isinstance(homes, str) else homes.get(name)
        if home is None or name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(importlib.import_module(home), name)

    return get
