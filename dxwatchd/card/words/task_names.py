"""The Hub's names of tasks, and what a model of each takes and gives.

Source: https://huggingface.co/tasks (`PIPELINE_DATA` of huggingface.js), with those that the Hub had once and
READMEs still name. The types are those of ModelPack's model config.
"""

from __future__ import annotations

from collections.abc import Mapping

Types = tuple[str, ...]

TASK_TYPES: Mapping[str, tuple[Types, Types]] = {
    "any-to-any": ((), ()),
    "audio-classification": (("audio",), ("text",)),
    "audio-text-to-text": (("audio", "text"), ("text",)),
    "audio-to-audio": (("audio",), ("audio",)),
    "automatic-speech-recognition": (("audio",), ("text",)),
    "depth-estimation": (("image",), ("image",)),
    "document-question-answering": (("image", "text"), ("text",)),
    "feature-extraction": (("text",), ("embedding",)),
    "fill-mask": (("text",), ("text",)),
    "graph-ml": (("other",), ("other",)),
    "image-classification": (("image",), ("text",)),
    "image-feature-extraction": (("image",), ("embedding",)),
    "image-segmentation": (("image",), ("image",)),
    "image-text-to-image": (("image", "text"), ("image",)),
    "image-text-to-text": (("image", "text"), ("text",)),
    "image-text-to-video": (("image", "text"), ("video",)),
    "image-to-3d": (("image",), ("other",)),
    "image-to-image": (("image",), ("image",)),
    "image-to-text": (("image",), ("text",)),
    "image-to-video": (("image",), ("video",)),
    "keypoint-detection": (("image",), ("other",)),
    "mask-generation": (("image",), ("image",)),
    "multiple-choice": (("text",), ("text",)),
    "object-detection": (("image",), ("other",)),
    "question-answering": (("text",), ("text",)),
    "reinforcement-learning": (("other",), ("other",)),
    "robotics": (("other",), ("other",)),
    "sentence-similarity": (("text",), ("embedding",)),
    "summarization": (("text",), ("text",)),
    "table-question-answering": (("text",), ("text",)),
    "table-to-text": (("text",), ("text",)),
    "tabular-classification": (("other",), ("other",)),
    "tabular-regression": (("other",), ("other",)),
    "tabular-to-text": (("other",), ("text",)),
    "text-classification": (("text",), ("text",)),
    "text-generation": (("text",), ("text",)),
    "text-ranking": (("text",), ("other",)),
    "text-retrieval": (("text",), ("other",)),
    "text-to-3d": (("text",), ("other",)),
    "text-to-audio": (("text",), ("audio",)),
    "text-to-image": (("text",), ("image",)),
    "text-to-speech": (("text",), ("audio",)),
    "text-to-video": (("text",), ("video",)),
    "text2text-generation": (("text",), ("text",)),
    "time-series-forecasting": (("other",), ("other",)),
    "token-classification": (("text",), ("text",)),
    "translation": (("text",), ("text",)),
    "unconditional-image-generation": ((), ("image",)),
    "video-classification": (("video",), ("text",)),
    "video-text-to-text": (("video", "text"), ("text",)),
    "video-to-video": (("video",), ("video",)),
    "visual-document-retrieval": (("image", "text"), ("embedding",)),
    "visual-question-answering": (("image", "text"), ("text",)),
    "voice-activity-detection": (("audio",), ("other",)),
    "zero-shot-classification": (("text",), ("text",)),
    "zero-shot-image-classification": (("image", "text"), ("text",)),
    "zero-shot-object-detection": (("image", "text"), ("other",)),
}
"""Task → what goes in, what comes out; of "any-to-any" nothing is known by its name."""

TASKS = frozenset(TASK_TYPES)
