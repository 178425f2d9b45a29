"""What a pipeline of diffusers is for, by its class.

Source: diffusers' auto pipelines and its overview of pipelines,
https://huggingface.co/docs/diffusers/api/pipelines/overview
"""

from __future__ import annotations

from collections.abc import Mapping

_PIPELINES: Mapping[str, str] = {
    **dict.fromkeys(
        ("StableDiffusion", "StableDiffusionXL", "StableDiffusion3", "LatentConsistencyModel", "Flux",
         "PixArtAlpha", "PixArtSigma", "KandinskyCombined", "KandinskyV22Combined", "Kandinsky3",
         "StableCascadeCombined", "WuerstchenCombined", "AuraFlow", "HunyuanDiT", "Sana", "SanaSprint",
         "Lumina", "Lumina2", "Chroma", "CogView3Plus", "CogView4", "QwenImage", "HiDreamImage", "IF",
         "ZImage", "Amused", "UnCLIP", "LDMTextToImage", "Kolors", "Bria", "BriaFibo", "Flux2",
         "StableUnCLIP", "StableDiffusionPAG", "StableDiffusionXLPAG", "StableDiffusion3PAG", "KolorsPAG",
         "SanaPAG", "PixArtSigmaPAG", "HunyuanDiTPAG", "StableDiffusionControlNet",
         "StableDiffusionXLControlNet", "StableDiffusionXLControlNetUnion",
         "StableDiffusion3ControlNet", "FluxControlNet", "FluxControl"),
        "text-to-image"),
    **dict.fromkeys(("FluxKontext", "QwenImageEdit", "StableDiffusionInstructPix2Pix", "LDMSuperResolution",
                     "StableDiffusionUpscale", "StableDiffusionLatentUpscale", "FluxFill",
                     "QwenImageEditPlus", "StableDiffusionImageVariation"), "image-to-image"),
    **dict.fromkeys(("TextToVideoSD", "TextToVideoZero", "Wan", "HunyuanVideo", "LTX", "CogVideoX", "Mochi",
                     "AnimateDiff", "AnimateDiffSDXL", "Allegro", "Latte", "SkyReelsV2",
                     "EasyAnimate"), "text-to-video"),
    **dict.fromkeys(("StableVideoDiffusion", "I2VGenXL", "EasyAnimateInpaint"), "image-to-video"),
    **dict.fromkeys(("AudioLDM", "AudioLDM2", "MusicLDM", "StableAudio"), "text-to-audio"),
    **dict.fromkeys(("DDPM", "DDIM", "PNDM", "ScoreSdeVe", "KarrasVe", "LDM", "ConsistencyModel"),
                    "unconditional-image-generation"),
    "MarigoldDepth": "depth-estimation",
    "ShapE": "text-to-3d",
    "ShapEImg2Img": "image-to-3d",
}  # fmt: skip
"""Class of a pipeline without "Pipeline" → task."""
_PIPELINE_ENDINGS = (
    ("Img2Img", "image-to-image"),
    ("Inpaint", "image-to-image"),
    ("ImageToVideo", "image-to-video"),
    ("VideoToVideo", "video-to-video"),
)
_FRAMEWORKS = ("Onnx", "Flax", "ORT", "OV")
"""What exports to other runtimes put before a class's name."""


def pipeline_task(class_name: str) -> str | None:
    """The task of a pipeline of diffusers."""
    name = class_name.removesuffix("Pipeline")
    for framework in _FRAMEWORKS:
        name = name.removeprefix(framework)
    if name in _PIPELINES:
        return _PIPELINES[name]
    return next((task for end, task in _PIPELINE_ENDINGS if name.endswith(end)), None)
