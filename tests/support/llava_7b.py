"""The files of llava-1.5-7b but for its weights and its tokenizer, for which a simple one stands.

Configurations are those of llava-hf/llava-1.5-7b-hf, written from knowledge of it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from scrub.datasets import rgb
from scrub.model.tokenizer import PAD, UNKNOWN

CONFIG: dict[str, Any] = {
    "architectures": ["LlavaForConditionalGeneration"],
    "ignore_index": -100,
    "image_token_index": 32000,
    "model_type": "llava",
    "pad_token_id": 32001,
    "projector_hidden_act": "gelu",
    "text_config": {
        "_name_or_path": "lmsys/vicuna-7b-v1.5",
        "architectures": ["LlamaForCausalLM"],
        "max_position_embeddings": 4096,
        "model_type": "llama",
        "rms_norm_eps": 1e-05,
        "torch_dtype": "float16",
        "vocab_size": 32064,
    },
    "tie_word_embeddings": False,
    "torch_dtype": "float16",
    "vision_config": {
        "hidden_size": 1024,
        "image_size": 336,
        "intermediate_size": 4096,
        "model_type": "clip_vision_model",
        "num_attention_heads": 16,
        "num_hidden_layers": 24,
        "patch_size": 14,
        "projection_dim": 768,
        "vocab_size": 32000,
    },
    "vision_feature_layer": -2,
    "vision_feature_select_strategy": "default",
    "vocab_size": 32064,
}
PREPROCESSOR: dict[str, Any] = {
    "crop_size": {"height": 336, "width": 336},
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_processor_type": "CLIPImageProcessor",
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "processor_class": "LlavaProcessor",
    "resample": 3,
    "rescale_factor": 0.00392156862745098,
    "size": {"shortest_edge": 336},
}
PROCESSOR: dict[str, Any] = {
    "image_token": "<image>",
    "num_additional_image_tokens": 1,
    "patch_size": 14,
    "processor_class": "LlavaProcessor",
    "vision_feature_select_strategy": "default",
}
SPECIAL = {UNKNOWN: 0, "<s>": 1, "</s>": 2, "<image>": 32000, PAD: 32001}
ROLES = """[roles]
"localisation" = [[14, 3], [15, 20]]
"colour extractor" = [[18, 7]]
"""


def write_llava_7b(folder: Path, *, roles: bool = True) -> Path:
    """A directory that `scrub plan` takes for llava-1.5-7b: nothing of it can be run.

    Args:
        roles: name some heads, as somebody who has found candidates does.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers
    from tokenizers.processors import TemplateProcessing

    folder.mkdir(parents=True)
    files = {"config": CONFIG, "preprocessor_config": PREPROCESSOR, "processor_config": PROCESSOR}
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
    words = sorted({*re.findall(r"\w+|[^\w\s]", rgb.PROMPT.replace("<image>", "")), *rgb.COLOURS})
    vocabulary = SPECIAL | {word: number for number, word in enumerate(words, start=3)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(  # type: ignore[misc]  # untyped setter
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = TemplateProcessing(  # type: ignore[misc]  # untyped setter
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": PAD, "unk_token": UNKNOWN}
    text = json.dumps(named | {"processor_class": "LlavaProcessor"})
    (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
    if roles:
        (folder / "roles.toml").write_text(ROLES, encoding="utf-8")
    return folder
