"""Print, as Markdown, what a model of the RGB game does and how: the evidence on its card.

    python benchmarks/rgb_evidence.py rgb-planted
    python benchmarks/rgb_evidence.py DIRECTORY [--rows N] [--seed K] [--card]

`--card` also puts it in the directory's README.md, under the heading "Evidence". All images with a
foreign patch are held out from training. The models are run by transformers, with hooks; the
package's engine is not involved.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from attrs import frozen
from cards import answer, parser, table
from rgb_hooks import Change, at_end, embedded, sizes, swaps
from rgb_images import ANSWERS, COLOURS, GRID, NOTHING, PATCH, painted
from rgb_subject import WHITE, Subject, different, pattern_of, repainted, subject
from torch import Tensor


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
    header = [
        "role",
        "head",
        "END → foreign patch: mean",
        "least",
        "plain image: END → first token",
    ]
    return table(header, rows)


@frozen(eq=False)
class Case:
    """An interchange and what the algorithm says of it.

    Attributes:
        name: what comes from another image.
        foretold: the answer that the algorithm gives then, in words.
        changes: the interchange.
        answer: the answer that the algorithm gives then, a number in `ANSWERS`, [B].
        some: images that count, bool [B].
    """

    name: str
    foretold: str
    changes: list[Change]
    answer: Tensor
    some: Tensor


def cases(s: Subject, rng: np.random.Generator) -> list[Case]:
    """The interchanges of the card."""
    find, read = s.roles["localisation"], s.roles["colour extractor"]
    end, donors, same = at_end(s.start), different(s, rng), repainted(s, rng)
    own, other, present = s.batch.answer, s.batch.answer[donors], s.batch.present
    there = s.batch.at(s.batch.place[donors])
    mine, all_of = torch.arange(len(s.batch)), torch.ones_like(present)
    plain = torch.tensor(rng.choice(torch.nonzero(~present)[:, 0].numpy(), len(mine)))
    patch = torch.arange(s.start.shape[1]) == s.pointed(s.batch.place)[:, None]
    pointed, unchanged, theirs = "the colour there", "the same", "the other image's"
    outside = swaps(s.record, s.outside, donors, end)
    return [
        Case("z of localisation", pointed, swaps(s.record, find, donors, end), there, all_of),
        *(
            Case(
                f"z of {layer}.{head} alone, into plain images",
                pointed,
                swaps(s.record, [(layer, head)], donors, end),
                there,
                ~present,
            )
            for layer, head in find
        ),
        Case(
            "z of localisation, from plain images",
            NOTHING,
            swaps(s.record, find, plain, end),
            torch.full_like(own, WHITE),
            present,
        ),
        Case(
            "z of localisation, same place and other colours",
            unchanged,
            swaps(same.record, find, mine, end),
            own,
            all_of,
        ),
        Case("q of the extractor", pointed, swaps(s.record, read, donors, end, "q"), there, all_of),
        Case("z of the extractor", theirs, swaps(s.record, read, donors, end), other, all_of),
        Case(
            "v of the extractor at the foreign patch, other colours",
            theirs,
            swaps(same.record, read, mine, patch, "v"),
            same.batch.answer,
            present,
        ),
        Case(
            "v of the extractor at all other tokens, other colours",
            unchanged,
            swaps(same.record, read, mine, ~patch, "v"),
            own,
            present,
        ),
        Case("z of all heads outside the roles", unchanged, outside, own, all_of),
        Case(
            "all MLPs, and z of all heads but the roles' at END, at all tokens",
            unchanged,
            everything_else(s, donors),
            own,
            all_of,
        ),
    ]


def everything_else(s: Subject, donors: Tensor) -> list[Change]:
    """What the circuit does not have in the language model, as it is in images `donors` [B]."""
    end = at_end(s.start)
    mlps = [
        Change("mlp", layer, (0,), torch.ones_like(end), s.record.parts["mlp", layer][donors])
        for layer in range(sizes(s.model)[0])
    ]
    inside = [head for heads in s.roles.values() for head in heads]
    heads = swaps(s.record, s.outside, donors, torch.ones_like(end))
    return [*mlps, *heads, *swaps(s.record, inside, donors, ~end)]


def answered(s: Subject, case: Case) -> tuple[float, float]:
    """How often the answer is what the algorithm says, and how often it is as before."""
    said, some = s.logits(case.changes).argmax(-1), case.some
    shares = [(said == answer)[some].float().mean() for answer in (case.answer, s.batch.answer)]
    return shares[0].item(), shares[1].item()


def interchanges(s: Subject, rng: np.random.Generator) -> list[str]:
    """What is answered when a part is another image's, and how often that is what was foretold."""
    rows = []
    for case in cases(s, rng):
        foretold, unchanged = answered(s, case)
        rows.append([case.name, case.foretold, f"{foretold:.1%}", f"{unchanged:.1%}"])
    header = ["from another image", "the algorithm says", "that is answered", "answer unchanged"]
    return table(header, rows)


def sources(s: Subject, rng: np.random.Generator) -> list[str]:
    """What is answered when heads read some tokens in an image painted in other colours."""
    same, present = repainted(s, rng), s.batch.present
    first = s.frame.prompt.first
    position = torch.arange(s.start.shape[1])
    image = ((position >= first) & (position < first + GRID**2)).expand(len(present), -1)
    patch = position == s.pointed(s.batch.place)[:, None]
    places = {"the foreign patch": patch, "all other patches": image & ~patch, "all patches": image}
    ranges = {"all heads": s.every_head} | {
        f"heads of layer {layer}": [head for head in s.every_head if head[0] == layer]
        for layer in range(sizes(s.model)[0])
    }
    rows = []
    for who, heads in ranges.items():
        for name, where in places.items():
            changes = swaps(same.record, heads, torch.arange(len(present)), where, "v")
            said = s.logits(changes)[present].argmax(-1)
            answers = (same.batch.answer[present], s.batch.answer[present])
            rows.append([who, name, *(share(said == answer) for answer in answers)])
    return table(["v of", "at", "answer of the other colours", "answer unchanged"], rows)


def layer_by_layer(s: Subject, rng: np.random.Generator) -> list[str]:
    """What is answered when a layer's heads, or its MLP, write at END what another image has."""
    donors, end = different(s, rng), at_end(s.start)
    own, other = s.batch.answer, s.batch.answer[donors]
    rows = []
    for layer in range(sizes(s.model)[0]):
        heads = [head for head in s.every_head if head[0] == layer]
        mlp = Change("mlp", layer, (0,), end, s.record.parts["mlp", layer][donors])
        parts = {"heads": swaps(s.record, heads, donors, end), "MLP": [mlp]}
        for name, changes in parts.items():
            said = s.logits(changes)
            rows.append([f"{name} of layer {layer}", says(said, other), says(said, own)])
    return table(["from another image", "the other image's answer", "answer unchanged"], rows)


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
        mean = (
            s.record.parts["z", layer].mean(0, keepdim=True).expand_as(s.record.parts["z", layer])
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
    taken = np.stack((own.numpy(), background.numpy()), 1)
    new = np.array([rng.choice(np.setdiff1d(np.arange(len(COLOURS)), two)) for two in taken])
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


def changed_most(s: Subject, rng: np.random.Generator) -> Tensor:
    """Where the projector's output changes most if a patch of a noise image does, per patch."""
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
    return (output[:-1] - output[-1]).norm(dim=-1).argmax(1)


def places(s: Subject, rng: np.random.Generator) -> list[str]:
    """Whether each patch of a noise image changes the projector's output at its own token most."""
    own = int((changed_most(s, rng) == torch.arange(GRID**2)).sum())
    return [
        "One patch of a noise image is drawn anew: the projector's output changes most at that",
        f"patch's token for {own} of {GRID**2} patches.",
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
        "### Which tokens colour is read at",
        "",
        "Values of heads, of an image with its foreign patch at the same place and other colours.",
        "",
        *sources(s, rng),
        "### Layer by layer, at END",
        "",
        *layer_by_layer(s, rng),
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


if __name__ == "__main__":
    answer(parser(rows=600), evidence)
