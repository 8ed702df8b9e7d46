"""Print, as Markdown, what a model of the RGB game does and how: the evidence on its card.

    python benchmarks/rgb_evidence.py rgb-planted
    python benchmarks/rgb_evidence.py DIRECTORY [--rows N] [--seed K] [--card]

`--card` also puts it in the directory's README.md, under the heading "Evidence". All images with a
foreign patch are held out from training. The models are run by transformers, with hooks; the
package's engine is not involved.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import numpy as np
import torch
from attrs import frozen
from evidence import card, directory_of, parser, table
from rgb_hooks import Change, Record, at_end, embedded, load, run, swaps
from rgb_images import ANSWERS, COLOURS, GRID, NOTHING, PATCH, Batch, draw, painted, pixels
from rgb_training import Setup, setup
from torch import Tensor
from transformers import LlavaForConditionalGeneration

WHITE = ANSWERS.index(NOTHING)


@frozen(eq=False)
class Subject:
    """A model, its roles, and what it does on some images.

    Attributes:
        model: by transformers.
        roles: (layer, head) by role.
        frame: prompt and processor, as in training.
        batch: the images.
        start: what the language model starts from, [B, T, D].
        record: of the plain run.
    """

    model: LlavaForConditionalGeneration
    roles: dict[str, tuple[tuple[int, int], ...]]
    frame: Setup
    batch: Batch
    start: Tensor
    record: Record

    @property
    def every_head(self) -> list[tuple[int, int]]:
        """All heads of the language model."""
        config = self.model.config.text_config
        layers, heads = config.num_hidden_layers, config.num_attention_heads
        return [(layer, head) for layer in range(layers) for head in range(heads)]

    @property
    def outside(self) -> list[tuple[int, int]]:
        """All heads that play no role."""
        inside = {head for heads in self.roles.values() for head in heads}
        return [head for head in self.every_head if head not in inside]

    def on(self, batch: Batch) -> Subject:
        """The same model on other images."""
        start = embedded(self.model, self.frame.prompt.tokens, self.frame.values(batch.cells))
        record = run(self.model, start)
        return Subject(self.model, self.roles, self.frame, batch, start, record)

    def logits(self, changes: list[Change]) -> Tensor:
        """Of `ANSWERS` at END when something changes, [B, answers]."""
        return run(self.model, self.start, changes).logits[:, self.frame.answers]

    def answers(self) -> Tensor:
        """Logits of `ANSWERS` at END in the plain run, [B, answers]."""
        return self.record.logits[:, self.frame.answers]

    def pointed(self, place: Tensor) -> Tensor:
        """The position of a patch [B]; of a place of -1: the first token."""
        return torch.where(place >= 0, self.frame.prompt.first + place, 0)


def subject(directory: Path, rows: int, seed: int) -> Subject:
    """The model on held-out images."""
    model, frame = load(directory), setup(0)
    listed = tomllib.loads((directory / "roles.toml").read_text(encoding="utf-8"))["roles"]
    roles = {role: tuple((layer, head) for layer, head in heads) for role, heads in listed.items()}
    batch = draw(np.random.default_rng(seed), rows, keep=True)
    start = embedded(model, frame.prompt.tokens, frame.values(batch.cells))
    return Subject(model, roles, frame, batch, start, run(model, start))


def share(right: Tensor) -> str:
    """How often, in words."""
    return f"{right.float().mean().item():.1%}"


def says(logits: Tensor, answer: Tensor) -> str:
    """How often the likeliest of `ANSWERS` is this one."""
    return share(logits.argmax(-1) == answer)


def behaviour(s: Subject) -> list[str]:
    """Accuracy, and how far the answer is above the next of `ANSWERS`, per answer."""
    word = s.record.logits.argmax(-1)
    correct = word == s.frame.answers[s.batch.answer]
    logits = s.answers()
    own = logits.gather(1, s.batch.answer[:, None])[:, 0]
    others = torch.arange(len(ANSWERS)) != s.batch.answer[:, None]
    gap = own - logits.where(others, torch.tensor(-torch.inf)).amax(1)
    rows = []
    for index, name in enumerate(ANSWERS):
        mine = s.batch.answer == index
        rows.append([name, str(int(mine.sum())), share(correct[mine]), f"{gap[mine].mean():.2f}"])
    rows.append(["all", str(len(own)), f"{correct.float().mean():.2%}", f"{gap.mean():.2f}"])
    header = ["answer", "images", "is the likeliest word", "logit above the next answer"]
    return table(header, rows)


def different(s: Subject, rng: np.random.Generator) -> Tensor:
    """For each image one that differs in place, answer and background; never a plain one, [B]."""
    batch = s.batch
    donors = []
    for place, answer, background in zip(batch.place, batch.answer, batch.background, strict=True):
        fits = batch.present & (batch.place != place) & (batch.answer != answer)
        fits &= (batch.background != background) & (batch.answer != background)
        donors.append(rng.choice(torch.nonzero(fits)[:, 0].numpy()))
    return torch.tensor(np.array(donors))


def repainted(s: Subject, rng: np.random.Generator) -> Subject:
    """Each image with foreign colour and background drawn anew: place alone is the same."""
    batch, count = s.batch, len(COLOURS)
    foreign = (batch.answer.numpy() + rng.integers(1, count, len(batch))) % count
    background = (foreign + rng.integers(1, count, len(batch))) % count
    return s.on(painted(foreign, background, batch.place.numpy()))


def attention(s: Subject) -> list[str]:
    """Attention of each role's heads at END: to the foreign patch, and to the first token."""
    rows = []
    present = s.batch.present
    target = s.pointed(s.batch.place)
    for role, heads in s.roles.items():
        for layer, head in heads:
            seen = s.record.attention[layer][:, head, -1]
            patch = seen.gather(1, target[:, None])[present, 0]
            first = seen[~present, 0]
            cells = [role, f"{layer}.{head}", f"{patch.mean():.3f}", f"{patch.min():.3f}"]
            rows.append([*cells, f"{first.mean():.3f}"])
    header = ["role", "head", "END → foreign patch: mean", "least", "plain image: END → first token"]
    return table(header, rows)


def interchanges(s: Subject, rng: np.random.Generator) -> list[str]:
    """What is answered when a part is another image's, and how often that is what was foretold."""
    end, donors = at_end(s.start), different(s, rng)
    place, own = s.batch.place[donors], s.batch.answer
    other = s.batch.answer[donors]
    there = s.batch.at(place)
    find, read = s.roles["localisation"], s.roles["colour extractor"]
    same = repainted(s, rng)
    present = s.batch.present
    mine = torch.arange(len(s.batch))
    patch = torch.arange(s.start.shape[1]) == s.pointed(s.batch.place)[:, None]
    everywhere = torch.ones_like(end)
    plain = rng.choice(torch.nonzero(~present)[:, 0].numpy(), len(mine))
    nowhere = torch.tensor(plain)
    mlps = [
        Change("mlp", layer, (0,), everywhere, s.record.parts["mlp", layer][donors])
        for layer in range(s.model.config.text_config.num_hidden_layers)
    ]
    rest = [*swaps(s.record, s.outside, donors, everywhere), *mlps]
    rest += swaps(s.record, [*find, *read], donors, ~end)
    cases: list[tuple[str, str, list[Change], Tensor, Tensor]] = [
        ("z of localisation", "the colour there in this image", swaps(s.record, find, donors, end),
         there, mine >= 0),
        *(
            (f"z of {layer}.{head} alone", "the colour there in this image",
             swaps(s.record, [(layer, head)], donors, end), there, ~present)
            for layer, head in find
        ),
        ("z of localisation, of a plain image", f"“{NOTHING}”",
         swaps(s.record, find, nowhere, end), torch.full_like(own, WHITE), present),
        ("z of localisation, same place and other colours", "the same",
         swaps(same.record, find, mine, end), own, mine >= 0),
        ("q of the extractor", "the colour there in this image",
         swaps(s.record, read, donors, end, "q"), there, mine >= 0),
        ("z of the extractor", "the other image's", swaps(s.record, read, donors, end), other,
         mine >= 0),
        ("v of the extractor at the foreign patch, other colours", "the other image's",
         swaps(same.record, read, mine, patch, "v"), same.batch.answer, present),
        ("v of the extractor at all other tokens, other colours", "the same",
         swaps(same.record, read, mine, ~patch, "v"), own, present),
        ("z of all heads outside the roles, at END", "the same",
         swaps(s.record, s.outside, donors, end), own, mine >= 0),
        ("z of all heads but the roles at END, and all MLPs, at all tokens", "the same", rest, own,
         mine >= 0),
    ]  # fmt: skip
    rows = []
    for name, foretold, changes, label, some in cases:
        logits = s.logits(changes)[some]
        rows.append([name, foretold, says(logits, label[some]), says(logits, own[some])])
    header = ["from another image", "the algorithm says", "that is answered", "answer unchanged"]
    return table(header, rows)


def per_head(s: Subject, rng: np.random.Generator) -> list[str]:
    """Per head: where it looks from END, and what an interchange and an ablation of it do."""
    donors = different(s, rng)
    end = at_end(s.start)
    role_of = {head: role for role, heads in s.roles.items() for head in heads}
    present = s.batch.present
    target = s.pointed(s.batch.place)
    image = slice(s.frame.prompt.first, s.frame.prompt.first + GRID**2)
    own, other = s.batch.answer[:, None], s.batch.answer[donors][:, None]

    def gap(logits: Tensor) -> float:
        return (logits.gather(1, own) - logits.gather(1, other)).mean().item()

    original = gap(s.answers())
    rows = []
    for layer, head in s.every_head:
        seen = s.record.attention[layer][:, head, -1]
        looks = seen.gather(1, target[:, None])[present].mean()
        swapped = s.logits(swaps(s.record, [(layer, head)], donors, end))
        before = s.logits(swaps(s.record, [(layer, head)], donors, ~end))
        mean = s.record.parts["z", layer].mean(0, keepdim=True).expand_as(
            s.record.parts["z", layer]
        )
        gone = s.logits([Change("z", layer, (head,), end, mean)])
        numbers = [f"{looks:.2f}", f"{seen[:, image].sum(1).mean():.2f}"]
        numbers += [f"{gap(x) / original:.2f}" for x in (swapped, before)]
        rows.append(
            [
                f"{layer}.{head}",
                role_of.get((layer, head), ""),
                *numbers,
                says(gone, s.batch.answer),
            ]
        )
    header = ["head", "role", "END → foreign patch", "END → image", "z at END swapped: kept"]
    return table([*header, "z elsewhere swapped: kept", "mean-ablated at END: right"], rows)


def predictions(s: Subject, rng: np.random.Generator) -> list[str]:
    """The four predictions: the foreign patch repainted, and what was there before restored."""
    batch = s.batch.take(torch.nonzero(s.batch.present)[:, 0])
    own, background = batch.answer, batch.background
    before = s.on(batch)
    new = (own.numpy() + rng.integers(1, len(COLOURS), len(batch))) % len(COLOURS)
    clash = new == background.numpy()
    # The colour after it, or the one after that where it is the foreign colour itself.
    after_it = (new + 1) % len(COLOURS)
    after_it = np.where(after_it == own.numpy(), (after_it + 1) % len(COLOURS), after_it)
    new = np.where(clash, after_it, new)
    recoloured = s.on(painted(new, background.numpy(), batch.place.numpy()))
    removed = s.on(painted(own.numpy(), background.numpy(), np.full(len(batch), -1)))
    rows = []
    find, read = s.roles["localisation"], s.roles["colour extractor"]
    kinds = (("recoloured", recoloured, torch.tensor(new)), ("removed", removed, background))
    for kind, corrupted, now in kinds:
        end = at_end(corrupted.start)
        mine = torch.arange(len(batch))
        restored = {
            "nothing": corrupted.answers(),
            "z of the extractor": corrupted.logits(swaps(before.record, read, mine, end)),
            "pattern of the extractor": corrupted.logits(pattern_of(before, corrupted, read)),
            "z of localisation": corrupted.logits(swaps(before.record, find, mine, end)),
        }
        for name, logits in restored.items():
            picked = [
                logits.gather(1, x[:, None]).mean().item()
                for x in (own, now, torch.full_like(own, WHITE))
            ]
            saying = [says(logits, x) for x in (own, now, torch.full_like(own, WHITE))]
            cells = [f"{x:.2f} ({y})" for x, y in zip(picked, saying, strict=True)]
            rows.append([kind, name, *cells])
    header = ["the patch", "restored at END", "colour before", "colour now", f"“{NOTHING}”"]
    return table(header, rows)


def pattern_of(before: Subject, after: Subject, heads: tuple[tuple[int, int], ...]) -> list[Change]:
    """The heads' z at END with `before`'s pattern and `after`'s values."""
    made = []
    for layer, head in heads:
        pattern = before.record.attention[layer][:, head, -1]
        values = after.record.parts["v", layer]
        given = torch.zeros_like(values)
        given[:, -1, head] = torch.einsum("bt,bte->be", pattern, values[:, :, head])
        made.append(Change("z", layer, (head,), at_end(after.start), given))
    return made


def places(s: Subject, rng: np.random.Generator) -> list[str]:
    """Whether each patch of a noise image changes the projector's output at its own token most."""
    side = GRID * PATCH
    noise = rng.integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    images = np.repeat(noise[:1], GRID**2 + 1, 0)
    for patch in range(GRID**2):
        row, column = divmod(patch, GRID)
        area = slice(row * PATCH, (row + 1) * PATCH), slice(column * PATCH, (column + 1) * PATCH)
        images[patch][area] = noise[1][area]
    processed = s.frame.processor.image_processor(images=list(images), return_tensors="pt")
    start = embedded(s.model, s.frame.prompt.tokens, processed["pixel_values"])
    first = s.frame.prompt.first
    output = start[:, first : first + GRID**2]
    change = (output[:-1] - output[-1]).norm(dim=-1)
    most = change.argmax(1) == torch.arange(GRID**2)
    noisy = f"{int(most.sum())} of {GRID**2} patches"
    return [
        "One patch of a noise image is drawn anew: the projector's output changes most at that",
        f"patch's token for {noisy}.",
        "",
    ]


def evidence(directory: Path, rows: int, seed: int) -> str:
    """The whole report."""
    s = subject(directory, rows, seed)
    rng = np.random.default_rng(seed + 1)
    command = f"python benchmarks/rgb_evidence.py {directory.name} --rows {rows} --seed {seed}"
    lines = [
        f"Printed by `{command}`:",
        f"{rows} images, those with a foreign patch held out from training. An interchange takes a",
        "part from an image with another place, answer and background. “Kept” is the mean logit of",
        "the answer minus that of the other image's answer, over the original one: 1 is no effect.",
        "",
        "### Behaviour",
        "",
        *behaviour(s),
        "### Attention of the roles",
        "",
        *attention(s),
        "### Interchange, per role",
        "",
        "At END where nothing else is said; everything downstream follows. Of single localisation",
        "heads: into plain images, where the other one points nowhere.",
        "",
        *interchanges(s, rng),
        "### Head by head",
        "",
        *per_head(s, rng),
        "### The four predictions",
        "",
        "The foreign patch is painted anew or with the background; then something is as it was",
        "before. Mean logits, and how often each is the answer.",
        "",
        *predictions(s, rng),
        "### Patches and tokens",
        "",
        *places(s, rng),
    ]
    return "\n".join(lines)


def main() -> None:
    """Print, and fill in the card if asked."""
    torch.set_num_threads(1)
    made = parser()
    made.set_defaults(rows=600)
    given = made.parse_args(sys.argv[1:])
    directory = directory_of(given.model)
    report = evidence(directory, given.rows, given.seed)
    print(report)
    if given.card:
        card(directory, report)


if __name__ == "__main__":
    main()
