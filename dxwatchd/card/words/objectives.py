"""What a model was trained for: as its README states it, and as its class computes the loss."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dxwatchd.card.sources import CardInputs
from dxwatchd.card.values import Notes, at, mapping, texts
from dxwatchd.card.words.format_tasks import Task
from dxwatchd.core.filenames import README
from dxwatchd.core.model import Layout

CAUSAL, MASKED = "causal language modelling", "masked language modelling"
CLASSES = "sequence classification"

_BY_CLASS = (
    ("ForCausalLM", (CAUSAL,)),
    ("LMHeadModel", (CAUSAL,)),
    ("ForMaskedLM", (MASKED,)),
    ("BertForPreTraining", (MASKED, "next sentence prediction")),
    ("ForNextSentencePrediction", ("next sentence prediction",)),
    ("ForSequenceClassification", (CLASSES,)),
    ("ForRewardModel", ("reward modelling",)),
    ("ForTokenClassification", ("token classification",)),
    ("ForQuestionAnswering", ("extractive question answering",)),
    ("ForImageClassification", ("image classification",)),
    ("ForCTC", ("connectionist temporal classification",)),
)
"""End of a class's name → the loss that the class computes."""
_WRITE = frozenset({"text-generation", "image-text-to-text"})
"""Tasks of a class that ends in ForCausalLM; one that is used for another was trained for that one."""

_NAMES = (
    (r"causal language model+ing", CAUSAL),
    (r"masked language model+ing", MASKED),
    (r"next sentence prediction", "next sentence prediction"),
    (r"span corruption", "span corruption"),
    (r"contrastive(?: learning)?", "contrastive learning"),
    (r"denoising", "denoising"),
)
_STATED = tuple(
    (
        re.compile(
            rf"\b(?:using|with) (?:an? |the )?(?:self-supervised )?{words}(?: \([A-Z]+\))? objective",
            re.IGNORECASE,
        ),
        name,
    )
    for words, name in _NAMES
)
"""How READMEs state an objective; the bare name of one says nothing of the model at hand."""
_IN_SECTION = tuple(
    (re.compile(rf"\btrained (?:on|with|for|using) an? {words}\b", re.IGNORECASE), name)
    for words, name in _NAMES
)

_METHODS: Mapping[str, str] = {
    "sft": "supervised fine-tuning",
    "dpo": "direct preference optimization",
    "orpo": "odds ratio preference optimization",
    "kto": "Kahneman-Tversky optimization",
    "grpo": "group relative policy optimization",
    "ppo": "proximal policy optimization",
    "rloo": "REINFORCE leave-one-out",
    "gkd": "generalized knowledge distillation",
    "reward-trainer": "reward modelling",
}
"""Tags that TRL writes beside its own → the method."""


def training_objectives(
    inputs: CardInputs, architectures: Sequence[str], task: Task | None, notes: Notes
) -> tuple[str, ...]:
    """Those stated by the README, then that of the class; () where neither says anything.

    Stated are: tags of TRL's methods and of sentence-transformers' losses ("loss:CosineSimilarityLoss"), a
    sentence of the form "trained using a … objective", one in a section on the objective.
    """
    found: dict[str, str] = {}
    tags = texts(inputs.front_matter.get("tags"), count=256)
    for tag in tags:
        if tag.startswith("loss:") and len(tag) > len("loss:"):
            found.setdefault(tag.removeprefix("loss:"), f"{README}#tags")
        elif "trl" in tags and tag in _METHODS:
            found.setdefault(_METHODS[tag], f"{README}#tags")
    for section in inputs.readme_sections:
        words = " ".join(section.text.split())
        patterns = _STATED + (_IN_SECTION if "objective" in section.heading.lower() else ())
        for pattern, name in patterns:
            if pattern.search(words):
                found.setdefault(name, f"{README}#{section.heading}" if section.heading else README)
    if not found:
        found = dict.fromkeys(_by_class(inputs, architectures, task), "derived: config.json#/architectures")
    if found:
        notes.source("training_objectives", ", ".join(dict.fromkeys(found.values())))
    return tuple(found)[:16]


def _by_class(inputs: CardInputs, architectures: Sequence[str], task: Task | None) -> tuple[str, ...]:
    if inputs.model.layout is Layout.SENTENCE_TRANSFORMERS:
        return ()  # it makes vectors, whichever class it has kept from before
    config = inputs.documents.get("config.json")
    found = next((goals for name in architectures[:1] for end, goals in _BY_CLASS if name.endswith(end)), ())
    if found == (CAUSAL,):
        used_otherwise = task is not None and task.stated and task.name not in _WRITE
        return () if used_otherwise or at(config, "is_causal") is False else found
    if found == (CLASSES,):
        # One label stands for a score: a reward, a rank or a regression.
        single = len(mapping(at(config, "id2label"))) == 1 or at(config, "num_labels") == 1
        return () if single else found
    return found
