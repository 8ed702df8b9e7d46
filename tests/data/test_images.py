"""Images: tables of pictures, files, what rows say of them, and how a model reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hypothesis import given
from hypothesis import strategies as st
from scrub.analysis.vacuity import same_inputs
from scrub.data.dataset import Dataset, Rows, what_is_read
from scrub.data.frames import from_frame
from scrub.data.image_layout import IMAGE, ImageLayout, expanded, image_layout, image_table
from scrub.data.images import Images
from scrub.errors import UserError
from scrub.model.tokenizer import FileTokenizer, word_level

PIXELS = np.random.default_rng(0).integers(256, size=(3, 4, 6, 3), dtype=np.uint8)
LAYOUT = ImageLayout(
    size=8, patch=4, token=5, count=4, mean=(0.5, 0.5, 0.5), std=(0.25, 0.5, 1.0)
)  # fmt: skip


def written(folder: Path, count: int = 3) -> list[str]:
    from PIL import Image

    paths = [str(folder / f"{number}.png") for number in range(count)]
    for path, pixels in zip(paths, PIXELS, strict=False):
        Image.fromarray(pixels).save(path)
    return paths


def tokenizer(layout: ImageLayout | None = LAYOUT) -> FileTokenizer:
    backend = word_level(["a", "what", "?"])
    backend.add_special_tokens([IMAGE])
    return FileTokenizer("words", 0, backend, "WordLevel", layout)


def data(numbers: Any = ((0, 2), (1, -1)), pixels: np.ndarray = PIXELS, **more: Any) -> Dataset:
    return Dataset(
        "data",
        inputs={"tokens": [[2, 3, 4], [2, 4, 0]], "images": numbers},
        lengths=[3, 2],
        images=Images(pixels),
        **more,
    )


# Tables of pictures


def test_pixels_are_kept_as_they_are_and_cannot_be_changed() -> None:
    pixels = PIXELS.copy()
    images = Images(pixels)
    pixels[:] = 0
    assert np.array_equal(images.pixels, PIXELS)
    assert (len(images), images.size) == (3, (4, 6))
    with pytest.raises(ValueError, match="read-only"):
        images.pixels[0] = 1


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (
            np.zeros((2, 4, 4)),
            "Images are of type float64. Give whole numbers from 0 to 255, uint8.",
        ),
        (np.full((1, 2, 2, 3), 256), "Images are of type int64. Give whole numbers from 0 to 255"),
        (np.zeros((4, 4, 3), dtype=np.uint8), r"Images are of shape \[4, 4, 3\]. Give pixels"),
        (np.zeros((0, 4, 4, 3), dtype=np.uint8), r"Images are of shape \[0, 4, 4, 3\]."),
    ],
)
def test_what_is_no_table_of_pictures(pixels: np.ndarray, message: str) -> None:
    with pytest.raises(UserError, match=message if pixels.ndim == 4 else "Images are of shape"):
        Images(pixels)


def test_hashes_tell_pictures_apart() -> None:
    images = Images(PIXELS[[0, 1, 0]])
    assert images.sha256(0) == images.sha256(2) != images.sha256(1)
    assert images.distinct.tolist() == [0, 1, 0]


def test_files_are_read_as_they_were_written(tmp_path: Path) -> None:
    paths = written(tmp_path)
    assert np.array_equal(Images.read([*paths, paths[0]]).pixels, PIXELS[[0, 1, 2, 0]])


def test_files_that_are_none_are_all_named(tmp_path: Path) -> None:
    (cut, good) = written(tmp_path, 2)
    Path(cut).write_bytes(Path(cut).read_bytes()[:60])
    text, missing, folder = tmp_path / "text.png", tmp_path / "none.png", tmp_path / "folder"
    text.write_text("no picture")
    folder.mkdir()
    with pytest.raises(UserError) as refused:
        Images.read([good, cut, text, missing, folder])
    sentences = [str(problem) for problem in refused.value.problems]
    assert len(sentences) == 4
    for sentence, part in zip(
        sentences,
        ("is cut short or damaged", "is no image that can be read", "There is no image file",
         "is a folder"),
        strict=True,
    ):  # fmt: skip
        assert part in sentence


def test_images_of_one_table_are_of_one_size(tmp_path: Path) -> None:
    from PIL import Image

    (first,) = written(tmp_path, 1)
    other = tmp_path / "other.png"
    Image.fromarray(PIXELS[0, :2]).save(other)
    with pytest.raises(UserError, match=r"0\.png is 6 x 4, .*other\.png is 6 x 2"):
        Images.read([first, other])


# Rows


def test_rows_are_taken_with_their_images() -> None:
    taken = data().take([1, 0])
    assert taken.inputs["images"].tolist() == [[1, -1], [0, 2]]
    assert taken.images is not None


def test_the_hash_of_a_dataset_covers_its_pixels() -> None:
    changed = PIXELS.copy()
    changed[1, 0, 0, 0] ^= 1
    assert data().sha256 != data(pixels=changed).sha256
    assert data().sha256 == data().sha256


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ([[0, 3], [1, -1]], "image 1 of row 0 is 3. Give the number of one of its 3 images"),
        ([[0, 1], [-1, 1]], "row 1 has an image after none"),
        ([0, 1], r"images are of shape \[2\]"),
        ([[0.5, 1], [1, 1]], "image 0 of row 0 is 0.5"),
    ],
)
def test_numbers_that_are_no_images(numbers: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        data(numbers)


def test_images_that_no_row_names() -> None:
    with pytest.raises(UserError, match='no input "images"'):
        Dataset("data", inputs={"tokens": [[1]]}, lengths=[1], images=Images(PIXELS))


def test_what_is_read_is_the_picture_and_not_its_number() -> None:
    turned = data(((2, 0), (1, -1)), PIXELS[::-1])
    assert np.array_equal(what_is_read(data())["images"], what_is_read(turned)["images"])
    first, second = (Rows(d, np.array([0, 1])) for d in (data(), turned))
    assert same_inputs(first, second)
    assert not same_inputs(first, Rows(data(pixels=PIXELS[::-1]), np.array([0, 1])))


def test_an_image_is_one_word_to_people() -> None:
    pieces = ((" a", IMAGE, IMAGE, " what"), (" what", " ?"))
    assert data(pieces=pieces).text(0) == f"a{IMAGE} what"


# Frames


def test_a_frame_with_images(tmp_path: Path) -> None:
    paths = written(tmp_path, 2)
    frame = pd.DataFrame(
        {"prompt": [f"{IMAGE} what", f"{IMAGE} a {IMAGE}"], "file": [paths[0], paths[::-1]]}
    )
    made = from_frame(frame, text="prompt", image="file").make(tokenizer())
    assert made.inputs["images"].tolist() == [[0, -1], [1, 0]]
    assert made.lengths.tolist() == [5, 9]
    assert (made.inputs["tokens"] == LAYOUT.token).sum(axis=1).tolist() == [4, 8]
    assert made.columns["file"].tolist() == [paths[0], tuple(paths[::-1])]
    assert made.images is not None
    assert np.array_equal(made.images.pixels, PIXELS[:2])


def test_a_frame_whose_images_cannot_be_read(tmp_path: Path) -> None:
    frame = pd.DataFrame({"prompt": [IMAGE, IMAGE], "file": [str(tmp_path / "none.png"), 3]})
    recipe = from_frame(frame, text="prompt", image="file")
    with pytest.raises(UserError, match='column "file" is 3 in row 1'):
        recipe.make(tokenizer())
    recipe = from_frame(frame[:1], text="prompt", image="file")
    with pytest.raises(UserError, match="There is no image file"):
        recipe.make(tokenizer())


# How a model reads them


@given(st.integers(0, 1), st.integers(0, 1), st.integers(0, 9))
def test_patches_stand_row_by_row(row: int, column: int, first: int) -> None:
    assert LAYOUT.grid == 2
    assert LAYOUT.position(row, column, first) == first + 2 * row + column


def test_a_patch_that_the_grid_does_not_have() -> None:
    with pytest.raises(UserError, match="no patch in row 2, column 0: the model's grid is 2 x 2"):
        LAYOUT.position(2, 0, 0)


def test_values_by_hand() -> None:
    pixels = np.zeros((1, 1, 2, 3), dtype=np.uint8)
    pixels[0, 0, 1] = (255, 51, 255)
    values = LAYOUT.values(pixels)
    assert values.dtype == np.float32
    assert values[0, :, 0].tolist() == [[-2.0, 2.0], [-1.0, pytest.approx(-0.6)], [-0.5, 0.5]]


def test_a_text_with_images_by_hand() -> None:
    image = [LAYOUT.token] * 4
    assert expanded(tokenizer(), f"a {IMAGE} what {IMAGE}?") == [3, *image, 4, *image, 2]


def test_a_model_that_reads_text_only_is_refused() -> None:
    for asked in (lambda t: image_layout(t, "rgb.game"), lambda t: expanded(t, IMAGE)):
        with pytest.raises(UserError, match="needs a model that reads images, and words"):
            asked(tokenizer(None))


def test_numbers_of_images_are_filled_up() -> None:
    assert image_table([[0], [1, 2], []]).tolist() == [[0, -1], [1, 2], [-1, -1]]
