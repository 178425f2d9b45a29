"""Names: which are allowed, when two are the same, and what a text is as a technical name.

A technical name travels on as part of trained models' names, as file name, served model id, DNS label and
command-line argument, hence its narrow alphabet.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

MAX_TECHNICAL = 63
"""Characters; the longest label that DNS allows (RFC 1035, 2.3.4)."""

MAX_MODEL_NAME = 200
"""Characters of a model name."""

_TECHNICAL = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")

_DEVICES = frozenset(
    {"con", "prn", "aux", "nul"}
    | {f"{device}{number}" for device in ("com", "lpt") for number in range(1, 10)}
)
"""File names that Windows keeps for devices, whatever follows a dot behind them.

Source: https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
"""

_WORDS = frozenset({"latest", "index", "default", "none", "null"})
"""Tags that registries give a meaning, and our own index."""

_PRECISION = (
    r"(fp?|float|bf|bfloat)(8|16|32)|u?int[48]|(16|[2-8])[-_]?bit|"
    r"i?q[1-8]_([0-9]|k)(_[sml]|_xs)?|w[48]a(8|16)"
)
_FORMAT = (
    r"awq|gptq|exl[23]|gguf|ggml|mlx|onnx|openvino|ov|ct2|ctranslate2|tensorrt|trt|engines?|safetensors|hf|"
    r"pytorch|pt|tensorflow|tf|keras|flax|jax|transformers|diffusers"
)
_METHOD = (
    r"q?lora|adapters?|peft|sft|dpo|ppo|kto|orpo|grpo|rm|reward|pre-?train(ed)?|fine[-_ ]?tuned?|freeze|full"
)
_STATE = r"merged|best|trained|saved|output|final|last|local|base|new|original|my[-_ ]awesome"
_GENERIC = re.compile(
    rf"(checkpoint|epoch|global_step|iter)[-_=]?[0-9]+([-_](step[-_=]?[0-9]+|model))?|step[-_][0-9]{{3,}}|"
    rf"(({_STATE})[-_ ]?)?(checkpoint|ckpt)s?([-_ ]?(best|last))?|"
    rf"(({_STATE}|{_METHOD}|{_FORMAT})[-_ ]?)?models?|model_?files|{_STATE}|{_METHOD}|"
    rf"({_FORMAT}|merged|cpu|cuda|gpu)([-_ ]?({_PRECISION}))?|{_PRECISION}|weights|"
    # a number, a version, a date, a size: of a model that is named further up
    r"(v|train_|eval_)?[0-9]+([-_.:T ][0-9]+)*|[0-9]+(\.[0-9]+)?[bm]([-_](it|chat|instruct|base|hf))?|"
    r"tiny|small|medium|large|chat|instruct|"
    r"outputs?|results?|trainer_output|snapshots?|main|master|latest|downloads?|"
    r"test|tmp|temp|copy|data|none|null|unknown|model[-_ ]?(id|name)|"
    r"((new|untitled)[-_ ]?folder|新建文件夹)([-_ ]?\(?[0-9]+\)?)?|"
    r"read ?me|(table of )?contents?|overview|introduction|usage|quick ?start|"
    r"(model )?(details|description|summary)|\W+",
    re.IGNORECASE,
)
"""What people, trainers and converters call any model's folder or heading."""

_HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}")


def canonical(name: str) -> str:
    """The form under which two names are the same: NFKC, case folded, NFKC again.

    Source: Unicode Standard, 3.13, D146 (folding may leave a text that is not normalised any more).
    """
    if name.isascii():  # is normalised, and folds to its lower case: most names, asked for in every pass
        return name.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def technical_name_problem(name: str) -> str | None:
    """What is wrong with a technical name, as a sentence; None where nothing is."""
    if not name:
        return "it is empty"
    if len(name) > MAX_TECHNICAL:
        return f"it has {len(name)} characters, at most {MAX_TECHNICAL} are allowed"
    if _TECHNICAL.fullmatch(name) is None or ".." in name:
        return "only a-z, 0-9 and inner . and - are allowed"
    if is_reserved(name):
        return "it is a reserved word"
    return None


def model_name_problem(name: str) -> str | None:
    """What is wrong with a model name, as a sentence; None where nothing is."""
    if not name.strip():
        return "it is empty"
    if len(name) > MAX_MODEL_NAME:
        return f"it has {len(name)} characters, at most {MAX_MODEL_NAME} are allowed"
    if name != name.strip():
        return "it begins or ends with a space"
    if not all(char == " " or char.isprintable() for char in name):
        return "it holds control characters"
    return None


def is_reserved(name: str) -> bool:
    """Whether a name in lower case means something of its own to a file system or a registry."""
    return name in _WORDS or name.partition(".")[0] in _DEVICES


def is_generic(name: str) -> bool:
    """Whether a name says nothing about the model that bears it (`checkpoint-900`, `final`, a hash)."""
    return _GENERIC.fullmatch(name) is not None or is_hash(name)


def is_hash(name: str) -> bool:
    """Whether a name is a digest or the hash of a commit."""
    return _HASH.fullmatch(name) is not None


def slug(text: str) -> str:
    """`text` in the alphabet of technical names, or "" where nothing of it is left (`通义千问`).

    Last path part, NFKD to ASCII, lower case, runs of anything else to one `-`, trimmed; too long a name is
    cut and ends in a short digest of the whole. A reserved word gets the prefix `model-`.
    """
    name = unprefixed_slug(text)
    return f"model-{name}" if is_reserved(name) else name


def unprefixed_slug(text: str) -> str:
    """The same, but for the prefix of a reserved word."""
    last = text.rstrip("/").rpartition("/")[2]
    ascii_only = unicodedata.normalize("NFKD", last).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"\.{2,}", ".", re.sub(r"[^a-z0-9.]+", "-", ascii_only))
    name = re.sub(r"-?\.-|-\.", "-", name).strip(".-")
    if len(name) > MAX_TECHNICAL:
        name = f"{name[: MAX_TECHNICAL - 9].rstrip('.-')}-{short_digest(text)}"
    return name


def short_digest(text: str) -> str:
    """Eight hexadecimal digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode(errors="backslashreplace")).hexdigest()[:8]
