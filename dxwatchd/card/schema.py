"""The card: what consumers read about one registered model."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, JsonValue

from dxwatchd.card.parts import (
    Adapter,
    Ancestor,
    Architecture,
    Capabilities,
    Component,
    Conflict,
    Context,
    CustomCode,
    FilePart,
    Integrity,
    KvCache,
    MemoryEstimate,
    Parameters,
    Part,
    Quantization,
    SentenceTransformers,
    Size,
    Tokenizer,
    UnlistedFiles,
    WeightSetPart,
)

Availability = Literal["available", "drifted", "missing"]


class Card(Part):
    """One model, under its unique technical name.

    path: relative to the models root, where the folder was last seen; entry_path: the manifest's path at that
    time (they differ while a move waits to be confirmed); revision: counts up with every change, `change`
    says which it was (an event of the journal; later releases may have further ones);
    fingerprint: of the content described; approved_fingerprint: what the entry's line said when that content
    was taken; dtype: of the weights that are not quantised, in torch's spelling;
    sources: field path → where the value is from; overrides: what the manifest says instead;
    conflicts: where the folder contradicts itself; version: the publisher's own; training_objectives: what
    it was trained for; limitations: the README's words on them; references: papers and pages that the folder
    names; lineage: what it was made from; unlisted_files: None wherever `files` has all of them.
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
    change: str
    fingerprint: str
    approved_fingerprint: str | None = None
    model_usage_type: str | None = None
    architecture: Architecture = Architecture()
    parameters: Parameters = Parameters()
    dtype: str | None = None
    quantization: Quantization | None = None
    context: Context = Context()
    kv_cache: KvCache = KvCache()
    memory_estimate: MemoryEstimate = MemoryEstimate()
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
    lineage: tuple[Ancestor, ...] = ()
    version: str | None = None
    authors: tuple[str, ...] = ()
    training_objectives: tuple[str, ...] = ()
    limitations: str | None = None
    references: tuple[str, ...] = ()
    template: str | None = None
    notes: str | None = None
    adapter: Adapter | None = None
    sentence_transformers: SentenceTransformers | None = None
    components: tuple[Component, ...] = ()
    custom_code: CustomCode = CustomCode()
    capabilities: Capabilities = Capabilities()
    weight_sets: tuple[WeightSetPart, ...] = ()
    files: tuple[FilePart, ...] = ()
    unlisted_files: UnlistedFiles | None = None
    integrity: Integrity = Integrity()
    sources: dict[str, str] = Field(default_factory=dict)
    overrides: dict[str, JsonValue] = Field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def file_count(self) -> int:
        """How many files the model has, listed or not."""
        return len(self.files) + (self.unlisted_files.count if self.unlisted_files else 0)

    @property
    def size(self) -> int:
        """All its files together, in bytes."""
        return sum(file.size for file in self.files) + (
            self.unlisted_files.size if self.unlisted_files else 0
        )
