"""What all parts of a card share."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0, lt=2**63)]
Size = Annotated[int, Field(ge=1, lt=2**63)]


class Part(BaseModel):
    """What all parts share: they do not change and take no value of another type.

    Keys that this version does not know are passed over: a later release of the same schema may have added
    them, and whoever reads its cards with this one is not to fail.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)
