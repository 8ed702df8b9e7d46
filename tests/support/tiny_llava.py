"""Tiny random LLaVA models with their processors, made by transformers and saved as it saves them.

Word-level tokens, of which "<image>" is one and "<s>" begins a whole input, as a Llama's does.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers.processors import TemplateProcessing

from scrub.data.image_layout import IMAGE
from scrub.model.bridge import boot
from scrub.model.graph import Graph
from scrub.model.processor_files import FILES
from scrub.model.registry import describe, load
from scrub.model.tokenizer import PAD, UNKNOWN, word_level
from scrub.reference import Pictures
from support.family_models import randomised

WORDS = ("ASSISTANT", "Which", "color", "red", "green", ":", "?")
VOCABULARY = 2 + len(WORDS) + 2


def tokens_of(words: Sequence[str]) -> dict[str, int]:
    """Ids of the special tokens, which come after the words."""
    return {name: 2 + len(words) + i for i, name in enumerate(("<s>", IMAGE))}


TOKENS = tokens_of(WORDS)
PATCH = 4


def configuration(
    grid: int = 2, width: int = 8, *, layer: int | list[int] = -2, strategy: str = "default",
    words: Sequence[str] = WORDS, **more: Any
) -> Any:  # fmt: skip
    """A language model of 2 layers with 4 heads on 2 key-value heads; a tower of 2 layers."""
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig

    text = LlamaConfig(
        vocab_size=2 + len(words) + 2,
        max_position_embeddings=width,
        hidden_size=16,
        intermediate_size=20,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        rope_parameters={"rope_type": "default", "rope_theta": 100.0},
        pad_token_id=0,
        bos_token_id=tokens_of(words)["<s>"],
        eos_token_id=0,
    )
    vision = CLIPVisionConfig(
        hidden_size=8,
        intermediate_size=12,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=PATCH * grid,
        patch_size=PATCH,
    )
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokens_of(words)[IMAGE],
        vision_feature_layer=layer,
        vision_feature_select_strategy=strategy,
        image_seq_length=grid**2 + (strategy == "full"),
        **more,
    )


def hugging_face_model(grid: int = 2, width: int = 8, **more: Any) -> Any:
    """The model in float64; the same weights at every call."""
    from transformers import LlavaForConditionalGeneration

    return randomised(LlavaForConditionalGeneration(configuration(grid, width, **more)))


def save(directory: Path, grid: int = 2, width: int = 8, **more: Any) -> Any:
    """Write model and processor as transformers does; the model."""
    from transformers import CLIPImageProcessorPil, LlavaProcessor, PreTrainedTokenizerFast
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    model = hugging_face_model(grid, width, **more)
    model.save_pretrained(directory)
    words = more.get("words", WORDS)
    tokenizer = word_level(words)
    tokenizer.add_special_tokens(["<s>", IMAGE])
    tokenizer.post_processor = TemplateProcessing(  # type: ignore[misc]  # untyped setter
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", tokens_of(words)["<s>"])]
    )
    side = PATCH * grid
    processor = LlavaProcessor(
        CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        ),
        PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            bos_token="<s>",
            eos_token=PAD,
            pad_token=PAD,
            unk_token=UNKNOWN,
            extra_special_tokens={"image_token": IMAGE},
        ),
        patch_size=PATCH,
        vision_feature_select_strategy=model.config.vision_feature_select_strategy,
        num_additional_image_tokens=1,
    )
    processor.save_pretrained(directory)
    assert (directory / FILES[0]).is_file()
    return model


@functools.cache
def directory() -> Path:
    """A directory of the smallest of them: 2 x 2 patches, rows of at most 8 tokens."""
    made = Path(tempfile.mkdtemp(prefix="scrub-llava-"))
    save(made)
    return made


@functools.cache
def graph(dtype: torch.dtype = torch.float64) -> Graph:
    """Its graph, checked."""
    return load(describe(directory()), dtype=dtype, device="cpu", recheck=True).graph


@functools.cache
def pictures() -> Pictures:
    """What sees its images: Hugging Face's model and processor."""
    from scrub.model.llava_check import processor_of

    return Pictures(hugging_face_model(), processor_of(directory()))


@functools.cache
def bridge() -> Any:
    """Its language model alone behind a bridge, in float64."""
    from transformers import LlamaForCausalLM

    whole = hugging_face_model()
    alone: Any = LlamaForCausalLM(whole.config.text_config).to(torch.float64)
    alone.model.load_state_dict(whole.model.language_model.state_dict())
    alone.lm_head.load_state_dict(whole.lm_head.state_dict())
    with tempfile.TemporaryDirectory() as made:
        alone.save_pretrained(made)
        return boot(Path(made), dtype=torch.float64, device="cpu")
