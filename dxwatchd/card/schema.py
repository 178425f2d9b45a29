"""The card: what consumers read about one registered model."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from dxwatchd.card.parts import (
    Adapter,
    Architecture,
    Component,
    Conflict,
    Context,
    FilePart,
    Overrides,
    Parameters,
    Part,
    Quantization,
    SentenceTransformers,
    Size,
    Tokenizer,
    WeightSetPart,
)

SCHEMA = "dxwatchd.card/v1"
Availability = Literal["available", "drifted", "missing"]
Change = Literal[
    "registered", "approved_again", "drifted", "restored", "missing", "moved", "renamed", "overridden"
]


class Card(Part):
    """One model, under its unique technical name.

    path: relative to the models root, where the folder was last seen; entry_path: the manifest's path at that
    time (they differ while a move waits to be confirmed); revision: counts up with every change, `change`
    says which it was; fingerprint: of the content described; approved_fingerprint: what the entry's line said
    when that content was taken; dtype: of the weights that are not quantised, in torch's spelling;
    sources: field path → where the value is from; overrides: what the manifest says instead;
    conflicts: where the folder contradicts itself.
    """

    model_config = ConfigDict(populate_by_name=True)

    schema_: Literal["dxwatchd.card/v1"] = Field(default="dxwatchd.card/v1", alias="schema")
    technical_name: str
    model_name: str
    kind: str
    layout: str
    path: str
    entry_path: str
    availability: Availability
    revision: Size
    change: Change
    fingerprint: str
    approved_fingerprint: str | None = None
    model_usage_type: str | None = None
    architecture: Architecture = Architecture()
    parameters: Parameters = Parameters()
    dtype: str | None = None
    quantization: Quantization | None = None
    context: Context = Context()
    tokenizer: Tokenizer = Tokenizer()
    generation_config: dict[str, JsonValue] | None = None
    library_name: str | None = None
    pipeline_tag: str | None = None
    tasks: tuple[str, ...] = ()
    license: str | None = None
    license_name: str | None = None
    license_link: str | None = None
    language: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    base_model: tuple[str, ...] = ()
    base_model_relation: str | None = None
    template: str | None = None
    notes: str | None = None
    adapter: Adapter | None = None
    sentence_transformers: SentenceTransformers | None = None
    components: tuple[Component, ...] = ()
    weight_sets: tuple[WeightSetPart, ...] = ()
    files: tuple[FilePart, ...] = ()
    sources: dict[str, str] = Field(default_factory=dict)
    overrides: Overrides = Field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    warnings: tuple[str, ...] = ()
