"""Watches a folder of models, proposes what is whole, and publishes a card for what was approved.

Components that use models import `load_card`, `list_cards`, `model_folder` and
`watch_cards`; all else is the daemon's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dxwatchd.card.schema import Card
    from dxwatchd.consumer import (
        CardChange,
        CardEntry,
        CardUnreadable,
        DxwatchdError,
        LaterFormat,
        ModelNotRegistered,
        ModelsRootUnknown,
        StateDirectoryNotFound,
        list_cards,
        load_card,
        model_folder,
        watch_cards,
    )

__all__ = [
    "Card",
    "CardChange",
    "CardEntry",
    "CardUnreadable",
    "DxwatchdError",
    "LaterFormat",
    "ModelNotRegistered",
    "ModelsRootUnknown",
    "StateDirectoryNotFound",
    "list_cards",
    "load_card",
    "model_folder",
    "watch_cards",
]


def __getattr__(name: str) -> object:
    """Import what is asked for when it is asked for: the command line starts without the card's schema."""
    if name in __all__:
        from dxwatchd import consumer

        return getattr(consumer, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
