"""The check of a LLaVA's graph against Hugging Face's own model and processor.

Three questions, each with a sentence where the answer is no: whether a text with images becomes the
tokens and pixel values that the model's own processor makes of it; whether a patch stands at the
token at which it is said to stand; whether the logits are those of the whole model.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import evolve
from jaxtyping import Float
from torch import Tensor

from scrub.data.dataset import Dataset, Rows, pad
from scrub.data.image_layout import ImageLayout, expanded, image_table
from scrub.data.images import Images
from scrub.errors import UserError, in_words
from scrub.model.config import Shape
from scrub.model.forward import batch_of, forward
from scrub.model.graph import Graph
from scrub.model.processor_files import with_images
from scrub.model.tokenizer import FileTokenizer, load_tokenizer
from scrub.model.verify import compare, logits_of
from scrub.model.vision import Vision

TOLERANCE = {
    torch.float64: 1e-5, torch.float32: 1e-4, torch.bfloat16: 2e-1, torch.float16: 4e-2,
}  # fmt: skip
"""Largest difference between graph and model, relative to the largest logit.

In float64 Hugging Face computes the language model's norms in float32. Tiny random models with
large weights, whose images are embedded some ten times as large as their words, differ by up to
3e-6 in float64, 4e-6 in float32 and 0.1 in bfloat16.
"""
TEXTS = ("USER: {0} Which color? ASSISTANT:", "{0}", "First {0} and then {0} in one word.")
"""With one image, one alone, and two."""
SAME_PIXELS = 1e-6
"""Largest difference of pixel values, of which the largest are about 2."""
ALL_OF = 64
"""Patches of the largest grid of which every patch is looked at: 8 x 8."""
SOME_OF = 16
"""Patches that are looked at in larger grids."""
PICTURES = 4
"""Pictures of noise in which each of them is changed."""
ELSEWHERE = 0.1
"""Share of them that may change another token most: in deep towers a few answer to everything."""
WORDS = 5
"""Tokens of a probe row before its images, and after them."""


def check_vision(directory: Path, vision: Vision, shape: Shape) -> Dataset:
    """Refuse a processor or a tower that scrub reads otherwise than Hugging Face's own code does.

    Returns:
        The probe batch on which the whole model is to be compared.

    Raises:
        UserError: with what differs, and by how much.
    """
    layout = vision.layout
    tokenizer = with_images(load_tokenizer(directory), layout, directory)
    check_processor(processor_of(directory), tokenizer, layout)
    check_patches(vision)
    return probe_data(layout, shape, tokenizer.pad)


def processor_of(directory: Path) -> Any:
    """Hugging Face's processor of a directory, which works on PIL's images.

    Raises:
        UserError: it cannot be made of these files.
    """
    from transformers import AutoTokenizer, LlavaProcessor
    from transformers.models.auto.image_processing_auto import AutoImageProcessor

    try:
        with _quiet():
            processor = LlavaProcessor.from_pretrained(
                directory,
                image_processor=AutoImageProcessor.from_pretrained(directory, backend="pil"),
                tokenizer=AutoTokenizer.from_pretrained(directory),
            )
    except Exception as error:  # the library raises whatever it likes
        raise UserError(
            f"The processor in {directory} could not be loaded: {in_words(error)}. Write what "
            "LlavaProcessor.save_pretrained writes beside the weights."
        ) from error
    return processor


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the libraries' own messages: what they warn of is refused in a sentence."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def check_processor(processor: Any, tokenizer: FileTokenizer, layout: ImageLayout) -> None:
    """Refuse files of a processor that scrub reads otherwise than Hugging Face does.

    Raises:
        UserError: tokens or pixel values differ.
    """
    from PIL import Image

    images = noise(2, layout.size)
    pictures = [Image.fromarray(pixels) for pixels in images.pixels]
    for template in TEXTS:
        text = template.format(layout.marker)
        count = text.count(layout.marker)
        try:
            made = processor(images=pictures[:count], text=text, return_tensors="np")
        except Exception as error:  # whatever the processor's code raises
            raise UserError(
                f"The model's own processor fails on a text with images: {in_words(error)}."
            ) from error
        theirs, ours = made["input_ids"][0].tolist(), expanded(tokenizer, text)
        if theirs != ours:
            at = next((i for i, (a, b) in enumerate(zip(theirs, ours, strict=False)) if a != b), -1)
            raise UserError(
                f'The model\'s own processor reads "{text}" as {len(theirs)} tokens, of which '
                f"{theirs.count(layout.token)} are an image's; scrub as {len(ours)} and "
                f"{ours.count(layout.token)}, the first other one at {at}. Its tokenizer.json and "
                "its processor's settings do not belong together, or are read in a way that scrub "
                "does not know: please report it."
            )
        values = layout.values(images.pixels[:count])
        off = np.abs(values - np.asarray(made["pixel_values"])).max()
        if values.shape != np.shape(made["pixel_values"]) or not off <= SAME_PIXELS:
            raise UserError(
                f"The model's own processor gives other pixel values than scrub: by {off:.2g}. Its "
                "image processor does something that scrub does not know: please report it."
            )


def noise(count: int, size: int, seed: int = 0) -> Images:
    """Images whose pixels are random, each independent of all others."""
    rng = np.random.default_rng(seed)
    return Images(rng.integers(256, size=(count, size, size, 3), dtype=np.uint8))


def check_patches(vision: Vision) -> None:
    """Refuse a model whose patches do not stand at the tokens at which they are said to stand.

    One patch of a picture of noise is changed: what the projector gives must change most at that
    patch's token, in the mean of some pictures, and beside how much that token changes with any
    patch. All patches of a small grid are tried, and some of a large one.

    Raises:
        UserError: more than a tenth of them change another token most; names the first.
    """
    layout, rng = vision.layout, np.random.default_rng(1)
    every = [(row, column) for row in range(layout.grid) for column in range(layout.grid)]
    if len(every) > ALL_OF:
        some = rng.choice(len(every), SOME_OF, replace=False)
        every = [every[number] for number in sorted(some.tolist())]
    change = torch.stack(
        [_changes(vision, pixels, every, rng) for pixels in noise(PICTURES, layout.size).pixels]
    ).mean(dim=0)
    most = (change / change.mean(dim=0)).argmax(dim=1).tolist()
    wrong = [(at, p) for at, p in zip(most, every, strict=True) if at != layout.position(*p)]
    if len(wrong) > ELSEWHERE * len(every):
        at, (row, column) = wrong[0]
        raise UserError(
            f"The patch in row {row}, column {column} should stand at token "
            f"{layout.position(row, column)} of its image, and changing it changes token {at} most "
            f"(so it is with {len(wrong)} of {len(every)} patches): in this model's output patches "
            "cannot be told apart by their tokens."
        )


def _changes(
    vision: Vision,
    pixels: np.ndarray,
    patches: Sequence[tuple[int, int]],
    rng: np.random.Generator,
) -> Float[Tensor, "patches count"]:
    """How far what the projector gives at each token of a picture moves with each patch."""
    side, changed = vision.layout.patch, np.repeat(pixels[None], len(patches), axis=0)
    for one, (row, column) in zip(changed, patches, strict=True):
        there = one[row * side : (row + 1) * side, column * side : (column + 1) * side]
        there[:] = rng.integers(256, size=there.shape, dtype=np.uint8)
    table = Images(np.concatenate([pixels[None], changed]))
    seen = evolve(vision)  # of its own, so that these pictures are not kept
    found = seen.features(table, np.arange(len(table))).double()
    return (found[1:] - found[:1]).norm(dim=-1)


def hugging_face_logits(
    directory: Path, probe: Dataset, layout: ImageLayout, *, dtype: torch.dtype, device: str
) -> Float[Tensor, "rows width vocabulary"]:
    """What Hugging Face's own model gives on a probe batch, on the host.

    The model is let go: of a large one there is no room for a second beside it.

    Raises:
        UserError: it cannot be loaded, fails, or gives numbers that are not finite.
    """
    from transformers import LlavaForConditionalGeneration

    try:
        with _quiet():
            model: Any = LlavaForConditionalGeneration.from_pretrained(
                directory, dtype=dtype, attn_implementation="sdpa"
            )
    except Exception as error:  # the loader raises whatever it likes
        raise UserError(
            f'Model "{directory}" could not be loaded: {in_words(error)}. Are its files complete?'
        ) from error
    return logits_on(model.to(device).eval(), probe, layout)


def logits_on(
    model: Any, probe: Dataset, layout: ImageLayout
) -> Float[Tensor, "rows width vocabulary"]:
    """The logits of a `LlavaForConditionalGeneration` on some rows, on the host."""
    assert probe.images is not None
    numbers, weight = probe.inputs["images"], model.lm_head.weight
    values = layout.values(probe.images.pixels[numbers[numbers >= 0]])
    real = torch.arange(probe.width) < torch.tensor(probe.lengths)[:, None]

    def original() -> Tensor:
        return model(
            input_ids=torch.tensor(probe.inputs["tokens"], device=weight.device),
            pixel_values=torch.from_numpy(values).to(weight.device, weight.dtype),
            attention_mask=real.to(weight.device, torch.int64),
        ).logits.cpu()

    return logits_of(original, real)


def check_graph(
    graph: Graph, probe: Dataset, expected: Float[Tensor, "rows width vocabulary"]
) -> None:
    """Refuse a graph whose logits on a probe batch are not those that are expected.

    Raises:
        UserError: with the size of the difference.
    """
    batch = batch_of(Rows(probe, np.arange(len(probe))), probe.width, graph.device)
    with torch.no_grad():
        found = forward(graph, batch, ["logits"])["logits"][:, :, 0]
    compare(found.cpu(), expected, TOLERANCE[graph.dtype])


def probe_data(layout: ImageLayout, shape: Shape, pad_token: int) -> Dataset:
    """Four rows of random tokens: with an image, with two where they are small, with none, short.

    Raises:
        UserError: the model's context has no room for an image.
    """
    rng = np.random.default_rng(0)
    if layout.count + 2 > shape.width:
        raise UserError(
            f"An image is {layout.count} tokens, and the model takes at most {shape.width}."
        )
    words = min(WORDS, (shape.width - layout.count) // 2)
    two = 1 + (2 * layout.count + 2 * words <= min(shape.width, 256))
    known = np.setdiff1d(np.arange(shape.vocabulary), [layout.token, pad_token])

    def row(images: int, after: int) -> list[int]:
        before, behind = rng.choice(known, words).tolist(), rng.choice(known, after).tolist()
        return [*before, *[layout.token] * (images * layout.count), *behind]

    lists = [row(1, words), row(two, words), row(0, words), row(1, max(1, words - 2))]
    number = iter(range(3 + two))
    table = image_table([[next(number) for _ in range(n)] for n in (1, two, 0, 1)])
    return Dataset(
        "probe",
        inputs={"tokens": pad(lists, pad_token), "images": table},
        lengths=[len(one) for one in lists],
        images=noise(3 + two, layout.size),
    )
