"""What a vision-language model sees, by Hugging Face's own model and processor."""

from __future__ import annotations

from typing import Any

import torch
from attrs import frozen
from torch import Tensor

from scrub.data.dataset import Rows


@frozen(eq=False)
class Pictures:
    """The eyes of a `LlavaForConditionalGeneration`.

    Attributes:
        model: the whole model.
        processor: its `LlavaProcessor`.
    """

    model: Any
    processor: Any

    def stands_at(self, tokens: Tensor) -> Tensor:
        """Where an image stands, bool [samples, width]."""
        return tokens == self.model.config.image_token_id

    def scattered(self, empty: Tensor, at: Tensor, rows: Rows) -> Tensor:
        """Features of the rows' images, one after the other, put at these places in order.

        Args:
            empty: [samples, width, d_model].
            at: bool [samples, width].
        """
        from PIL import Image

        images = rows.data.images
        numbers = [] if images is None else rows.data.inputs["images"][rows.index].ravel().tolist()
        shown = [Image.fromarray(images.pixels[n]) for n in numbers if images and n >= 0]
        if not shown:
            return empty
        values = self.processor.image_processor(shown, return_tensors="pt")["pixel_values"]
        seen = self.model.get_image_features(pixel_values=values.to(empty.dtype)).pooler_output
        return empty.masked_scatter(at[..., None], torch.cat(list(seen)).to(empty.dtype))
