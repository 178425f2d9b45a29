"""Tensor shapes → exact parameter counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from dxwatchd.card.parts import Moe, Parameters
from dxwatchd.card.sources import TensorInfo
from dxwatchd.card.values import INTEGER_LIMIT, Notes, clean
from dxwatchd.card.weights.logical_weights import Bits, elements, logical_elements

HEADERS = "weight file headers"

EMBEDDINGS = (
    ".embed_tokens.weight",
    ".wte.weight",
    ".shared.weight",
    ".word_embeddings.weight",
    ".embed_in.weight",
)
"""Ends of the names of a table of tokens that a head may be tied to."""
_NUMBERED = "model.layers."
_HEADS = (".lm_head.weight", ".embed_out.weight")


def main_type(tensors: Mapping[str, Sequence[TensorInfo]]) -> str | None:
    """The stored dtype that most bytes have."""
    sizes: Counter[str] = Counter()
    for file in tensors.values():
        for tensor in file:
            sizes[tensor.dtype] += tensor.nbytes
    return max(sorted(sizes), key=lambda name: sizes[name]) if sizes else None


def count(
    tensors: Mapping[str, Sequence[TensorInfo]],
    bits: Bits,
    notes: Notes,
    *,
    tied: bool | None = None,
    moe: Moe | None = None,
    layers: int | None = None,
    adapter: bool = False,
) -> Parameters:
    """Counts over one weight set; `tensors` by file.

    total = sum of logical(t) over all tensors that are parameters, each tied one once;
    active = main - routed * (1 - k/E), where `main` are all but those of multi-token prediction, and `routed`
    are the weights of all routed experts among them, of which each layer has E and uses k for a token;
    layers: how many the model itself has (those behind them are for multi-token prediction).
    """
    listed = {tensor.name: tensor for file in tensors.values() for tensor in file}
    if not listed:
        return Parameters()
    stored = sum(map(elements, listed.values()))
    size = sum(tensor.nbytes for tensor in listed.values())
    copies = _copies(listed, tied=tied)
    by_name = {
        name: logical_elements(each, listed, bits) for name, each in listed.items() if name not in copies
    }
    known = {name: logical for name, logical in by_name.items() if logical is not None}
    total = sum(known.values())
    problem = _problem([name for name in by_name if name not in known], max(total, stored, size))
    if problem:
        notes.warn(f"the parameters are not counted: {problem}")
        return Parameters(stored_elements=_bounded(stored), bytes=_bounded(size))
    if copies:
        notes.warn(f"counted once, since they are tied to the embedding: {', '.join(sorted(copies))}")
    by_dtype: Counter[str] = Counter()
    for name, logical in known.items():
        by_dtype[listed[name].dtype] += logical
    ahead = {name for name in known if predicts_ahead(name, layers)}
    routed = sum(logical for name, logical in known.items() if is_routed_expert(name) and name not in ahead)
    guessing = sum(known[name] for name in ahead)
    made = Parameters(
        total=total,
        active=active_parameters(total - guessing, routed, moe),
        trainable=total if adapter else None,
        multi_token_prediction=guessing or None,
        by_dtype={clean(dtype): logical for dtype, logical in sorted(by_dtype.items()) if logical},
        stored_elements=stored,
        bytes=size,
        exact=True,
    )
    for field in ("total", "by_dtype", "stored_elements", "bytes", *(["trainable"] if adapter else [])):
        notes.source(f"parameters.{field}", HEADERS)
    if guessing:
        notes.source("parameters.multi_token_prediction", HEADERS)
    if made.active is not None:
        notes.source("parameters.active", f"derived: {HEADERS}, architecture.moe")
    return made


def is_routed_expert(name: str) -> bool:
    """Whether a tensor belongs to the experts among which a router chooses."""
    return ".experts." in f".{name}." or "_exps." in name


def predicts_ahead(name: str, layers: int | None) -> bool:
    """Whether a tensor belongs to layers of multi-token prediction.

    DeepSeek-V3 and its like number them on behind the model's own layers, Qwen3-Next and MiMo name them.
    """
    if "mtp" in name and not {"mtp", "mtp_layers"}.isdisjoint(name.split(".")):
        return True
    if layers is None or not name.startswith(_NUMBERED):
        return False
    number = name[len(_NUMBERED) :].partition(".")[0]
    return number.isdecimal() and len(number) < 6 and int(number) >= layers


def active_parameters(total: int, routed: int, moe: Moe | None) -> int | None:
    """By total - routed * (1 - k/E), both of the model's own layers.

    None where E or k is not known or no expert's weights were found.
    """
    if moe is None or not moe.num_experts or not moe.num_experts_per_tok or not routed:
        return None
    used, rest = divmod(routed * moe.num_experts_per_tok, moe.num_experts)
    return None if rest or moe.num_experts_per_tok > moe.num_experts else total - routed + used


def _copies(listed: Mapping[str, TensorInfo], *, tied: bool | None) -> set[str]:
    """Names of stored copies of the embedding."""
    shared = listed.get("shared.weight") or listed.get("model.shared.weight")
    copies: set[str] = set()
    if shared is not None:
        sides = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
        copies |= {name for name in listed if name.endswith(sides) and listed[name].shape == shared.shape}
    if tied:
        shapes = {listed[name].shape for name in _ending(listed, EMBEDDINGS)}
        copies |= {name for name in _ending(listed, _HEADS) if listed[name].shape in shapes}
    return copies


def _ending(names: Iterable[str], ends: tuple[str, ...]) -> list[str]:
    return [name for name in names if f".{name}".endswith(ends)]


def _problem(odd: Sequence[str], largest: int) -> str | None:
    """Why there is no count, if there is none."""
    if odd:
        return f"{len(odd)} tensors are packed in an unknown way, among them {odd[0]}"
    return "absurd sizes" if largest >= INTEGER_LIMIT else None


def _bounded(value: int) -> int | None:
    return value if value < INTEGER_LIMIT else None
