"""Arguments of a source document that are said otherwise here, or that do nothing."""

from collections.abc import Mapping
from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from versus.core import config as configs
from versus.core.config import Section


class LegacySection(Section):
    """Base of a section ``legacy``: what nobody gives is not recorded."""

    @model_serializer(mode="wrap")
    def _given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = handler(self)
        return {key: value for key, value in found.items() if value is not None}

    def notes(self, aliases: Mapping[str, str]) -> list[str]:
        """What was given and does nothing, by the flag that ``aliases`` list first for it."""
        about = {key: about for key, *_, about in configs.describe(type(self))}
        flags = {key.removeprefix("legacy."): flag for flag, key in reversed(list(aliases.items()))}
        return [f"--{flags[key]}: {' '.join(about[key].split())}" for key in self.model_dump()]
