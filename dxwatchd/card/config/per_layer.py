"""Layers with sizes of their own: `per_layer_config`, where transformers writes what is unlike the rest."""

from __future__ import annotations

from collections.abc import Mapping

from dxwatchd.card.config.config_keys import ALIASES, Path, Reading, mentions, text_part, whole
from dxwatchd.card.config.layer_rules import MOST_LAYERS
from dxwatchd.card.values import integer, mapping

Sizes = tuple[tuple[str, int], ...]
"""Key and value of each size that one layer has for itself, in the order of the keys."""

_MOST_KEYS = 1024  # of one layer
_FIELD_OF = {alias: field for field, aliases in ALIASES.items() for alias in aliases if "/" not in alias}


def own_sizes(config: object) -> dict[int, Sizes]:
    """What single layers have for themselves, by the layer's number; all others have the config's own sizes.

    Source: transformers' integrations/heterogeneity; Gemma-4 is saved so, its `global_head_dim` left out.
    """
    listed = mapping(text_part(config)[1].get("per_layer_config"))
    found: dict[int, Sizes] = {}
    for number, values in list(listed.items())[:MOST_LAYERS]:
        if number.isdecimal() and len(number) < 6:
            sizes = ((key, integer(value, 1)) for key, value in sorted(mapping(values).items())[:_MOST_KEYS])
            found[int(number)] = tuple((key, size) for key, size in sizes if size is not None)
    return {number: sizes for number, sizes in found.items() if sizes}


def differing(config: object, readings: Mapping[str, Reading | None]) -> dict[str, int]:
    """The fields whose value is another in some layer, with one such other value."""
    found: dict[str, int] = {}
    for sizes in own_sizes(config).values():
        for key, size in sizes:
            field = _FIELD_OF.get(key, key)
            reading = readings.get(field)
            if reading is not None and reading[0] != size:
                found.setdefault(field, size)
    return found


def global_head_dim(config: object) -> int | None:
    """The width of heads in layers of full attention, where these have one of their own.

    None for a config that gives it layer by layer, be it for none: its class then looks at nothing else.
    """
    return None if mentions(config, "per_layer_config") else whole(config, "global_head_dim")


def with_sizes(config: object, sizes: Sizes) -> object:
    """The config as a layer with these sizes sees it."""
    return _put(config, text_part(config)[0], dict(sizes)) if sizes else config


def _put(config: object, path: Path, values: Mapping[str, object]) -> Mapping[str, object]:
    place = mapping(config)
    if not path:
        return {**place, **values}
    return {**place, path[0]: _put(place.get(path[0]), path[1:], values)}
