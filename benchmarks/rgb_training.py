"""What both embedded models of the RGB game share: shape, prompt, optimiser, how they are saved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import frozen
from rgb_forward import Heads, Prompt, Trace, logits_of, run
from rgb_images import ANSWERS, GRID, PATCH, Batch, draw, motley, pixels, values
from rgb_losses import Problem, Sample
from torch import Tensor
from training import Loss, Options, save_pretrained, summed, train
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from scrub.model.tokenizer import PAD, UNKNOWN, word_level

PROMPT = "USER: <image> Which color is the odd color out? Respond in one word. ASSISTANT:"
IMAGE = "<image>"
POSITIONS = 96
LAYERS = 4
HEADS = 4
ROLES: dict[str, Heads] = {
    "localisation": ((1, 0), (1, 1)),
    "colour extractor": ((2, 1),),
}
"""(layer, head) of each role, the same table for both models."""
WORDS = [
    *("USER", "ASSISTANT", ":", "?", ".", "Which", "color", "is", "the", "odd", "out"),
    *("Respond", "in", "one", "word", "black", *ANSWERS),
]

Losses = Callable[[float, Sample], dict[str, Tensor]]
"""(progress from 0 to 1, a batch and its trace) to the terms of the loss."""


def processor() -> Any:
    """A LLaVA processor: a word-level tokenizer, and images of `GRID` x `GRID` patches."""
    words = word_level(WORDS)
    words.add_special_tokens([IMAGE])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        bos_token=PAD,
        eos_token=PAD,
        pad_token=PAD,
        unk_token=UNKNOWN,
        extra_special_tokens={"image_token": IMAGE},
        model_max_length=POSITIONS,
    )
    side = GRID * PATCH
    images = CLIPImageProcessorPil(
        size={"shortest_edge": side}, crop_size={"height": side, "width": side}
    )
    return LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )


def new_model(tokenizer: Any, seed: int) -> LlavaForConditionalGeneration:
    """An untrained LLaVA: CLIP of 3 layers (2 are used) and Llama of 4, width 64, 4 heads a layer.

    Weights start wider than usual, as those of the embedded GPT-2s do: at this width heads
    otherwise take far longer to find their targets. Places of patches start as wide as colours.
    """
    torch.manual_seed(seed)
    vision = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        projection_dim=64,
        num_hidden_layers=3,
        num_attention_heads=HEADS,
        image_size=GRID * PATCH,
        patch_size=PATCH,
        initializer_range=0.1,
    )
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        max_position_embeddings=POSITIONS,
        initializer_range=0.1,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlavaForConditionalGeneration(
        LlavaConfig(
            vision_config=vision,
            text_config=text,
            image_token_index=tokenizer.convert_tokens_to_ids(IMAGE),
            image_seq_length=GRID * GRID,
        )
    )
    tower: Any = model.model.vision_tower
    with torch.no_grad():
        tower.embeddings.position_embedding.weight.mul_(10)
        for linear in (
            model.model.multi_modal_projector.linear_1,
            model.model.multi_modal_projector.linear_2,
        ):
            torch.nn.init.normal_(linear.weight, std=64**-0.5)
    return model


@frozen(eq=False)
class Setup:
    """An untrained model, its processor, the prompt as tokens, and the token ids of `ANSWERS`."""

    model: LlavaForConditionalGeneration
    processor: Any
    prompt: Prompt
    answers: Tensor

    def values(self, cells: Tensor) -> Tensor:
        """What the vision tower reads for cells [B, P]: [B, 3, height, width]."""
        images = self.processor.image_processor
        return values(pixels(cells), images.image_mean, images.image_std)


def setup(seed: int) -> Setup:
    """Everything that training starts from."""
    made = processor()
    tokenizer = made.tokenizer
    text = PROMPT.replace(IMAGE, IMAGE * GRID**2)
    tokens = torch.tensor(tokenizer(text, add_special_tokens=False)["input_ids"])
    first = int((tokens == made.image_token_id).nonzero()[0, 0])
    answers = torch.tensor(tokenizer.convert_tokens_to_ids(list(ANSWERS)))
    assert tokenizer.unk_token_id not in tokens
    return Setup(new_model(tokenizer, seed), made, Prompt(tokens, first), answers)


def optimise(given: Setup, losses: Losses, asked: Options, *, mixed: int = 0) -> None:
    """Train the model in place and print progress.

    Args:
        given: the model and what belongs to it.
        losses: terms whose sum is minimised.
        asked: number of batches, images of the game in each, and the seed of them.
        mixed: motley images in a batch, for interchanges.
    """
    rng = np.random.default_rng(asked.seed)

    def batches() -> Iterator[Batch]:
        while True:
            batch = draw(rng, asked.rows)
            yield followed_by(batch, motley(rng, mixed)) if mixed else batch

    def loss(progress: float, batch: Batch) -> Loss:
        trace = run(given.model, given.prompt, given.values(batch.cells))
        return summed(losses(progress, Sample(batch, asked.rows, trace)))

    train(list(given.model.parameters()), batches(), loss, asked.steps)


def followed_by(batch: Batch, cells: Tensor) -> Batch:
    """A batch of the game, and after it images [B, P] that have neither place nor answer."""
    none = torch.full((len(cells),), -1)
    return Batch(
        torch.cat((batch.cells, cells)),
        torch.cat((batch.place, none)),
        torch.cat((batch.answer, none)),
    )


def problem(given: Setup, circuit: Any) -> Problem:
    """What losses are computed of."""
    return Problem(given.model, given.prompt, given.answers, circuit)


def right(given: Setup, batch: Batch) -> float:
    """Share of images whose answer is the likeliest word, over the whole vocabulary."""
    with torch.no_grad():
        final = run(given.model, given.prompt, given.values(batch.cells)).final
        said = logits_of(given.model, final).argmax(-1)
    return (said == given.answers[batch.answer]).float().mean().item()


def save(given: Setup, directory: Path, roles: dict[str, Heads] = ROLES) -> None:
    """Check the model against transformers' own forward pass, then write it with its roles."""
    model = given.model.eval()
    batch = draw(np.random.default_rng(1), 200, keep=True)
    images = given.values(batch.cells)
    tokens = given.prompt.tokens.expand(len(batch), -1)
    with torch.no_grad():
        trace: Trace = run(model, given.prompt, images)
        theirs = model(input_ids=tokens, pixel_values=images).logits[:, -1]
    difference = (logits_of(model, trace.final) - theirs).abs().max()
    assert difference < 1e-4, f"our forward pass is off by {difference}"
    print(f"right on held-out images: {right(given, batch):.1%}")
    save_pretrained(model, directory, roles)
    given.processor.save_pretrained(directory)
    print(f"saved in {directory}")
