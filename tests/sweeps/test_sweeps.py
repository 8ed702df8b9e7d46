"""The effects of a sweep are those of single claims, and of hooks on the bridge."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch

import scrub
from scrub import (
    Correspondence,
    Exact,
    Fixed,
    InterpNode,
    Paired,
    Uncond,
    claim,
    heads,
    mlp,
    output,
    site,
)
from scrub.data.dataset import Dataset
from scrub.datasets import ioi
from scrub.hypothesis.load_file import load
from scrub.hypothesis.sites import anything, mlps, none
from scrub.metrics import custom, distance, kl, logit_diff
from scrub.model.registry import EMBEDDED
from scrub.report.sweep import foot
from scrub.runner.session import Session
from scrub.sweeps.prepare import MemberTrees
from scrub.sweeps.question import Question
from scrub.sweeps.receiver import receiver_of
from scrub.sweeps.senders import named_senders
from support.paths import ROOT

MODEL = "ioi-planted"
PROMPTS = ioi.prompts(24, seed=3)
FLIPPED = ioi.flip(PROMPTS, "both")
SAMPLES = 30


@functools.cache
def session() -> Session:
    return Session()


def swept(behaviour: Any = None, **options: Any) -> scrub.Sweep:
    behaviour = behaviour or ioi.behaviour(24, seed=3)
    return scrub.patch(behaviour, model=MODEL, samples=SAMPLES, session=session(), **options)


def scrubbed(sites: Any) -> np.ndarray:
    """The metric of a claim of these nodes, per reference."""

    @claim(data=PROMPTS, metric=logit_diff("io", "s"), model=MODEL)
    def one(model: Any) -> Correspondence:
        return Correspondence(sites)

    done = scrub.run(one, samples=SAMPLES, session=session(), diagnose=False)
    return done.scores.scrubbed


@pytest.mark.parametrize("restore", [True, False])
@pytest.mark.parametrize("through", [none, mlps, anything])
def test_a_sweep_is_a_loop_of_claims(through: Any, restore: bool) -> None:
    found = swept(at="end", through=through, restore=restore).frame.set_index("sender")
    corrupt = Paired(FLIPPED)
    before = scrubbed({InterpNode("root", corrupt if restore else Exact()): output(at="end")})
    assert len(found) == 16
    for layer, head in [(0, 3), (1, 0), (2, 1), (3, 0), (3, 3)]:
        root = InterpNode("root", Exact(), other=corrupt if restore else Exact())
        sender = root.child("sender", Exact() if restore else corrupt)
        sites = {root: output(at="end"), sender: heads([(layer, head)], at="end", through=through)}
        effect = (scrubbed(sites) - before).mean()
        assert found.loc[f"head {layer}.{head}", "effect"] == pytest.approx(effect, abs=1e-5)


@pytest.mark.parametrize("corrupt", [Paired(FLIPPED), Uncond()])
def test_with_a_receiver_it_is_a_loop_of_claims_of_three_nodes(corrupt: Any) -> None:
    """Corrupting, one node draws the corrupted input, so that even random ones are the same."""
    behaviour = ioi.behaviour(24, seed=3, corrupt=corrupt)
    found = swept(behaviour, to="name mover.q@end", at="end", restore=False)
    before = scrubbed({InterpNode("root", Exact()): output(at="end")})
    by_name = found.frame.set_index("sender")
    assert found.left_out == 4, "heads of the receivers' layer come after their queries"
    for layer, head in [(0, 3), (2, 0), (2, 1)]:
        root = InterpNode("root", Exact(), other=Exact())
        receiver = root.child("receiver", Exact(), other=Exact())
        sender = receiver.child("sender", corrupt)
        movers = heads([(3, 0), (3, 1)], part="q", at="end", through=anything)
        sites = {
            root: output(at="end"),
            receiver: movers,
            sender: heads([(layer, head)], at="end"),
        }
        effect = (scrubbed(sites) - before).mean()
        assert by_name.loc[f"head {layer}.{head}", "effect"] == pytest.approx(effect, abs=1e-5)


@functools.cache
def bridge() -> Any:
    from transformer_lens.model_bridge import TransformerBridge

    torch.set_num_threads(1)
    return TransformerBridge.boot_transformers(str(EMBEDDED / MODEL), device="cpu")


def drawn(result_frame_rows: np.ndarray) -> tuple[Dataset, Dataset]:
    from scrub.model.registry import describe

    tokenizer = describe(MODEL).tokenizer
    assert tokenizer is not None
    data, other = PROMPTS.make(tokenizer), FLIPPED.make(tokenizer)
    return data.take(result_frame_rows), other.take(result_frame_rows)


def references() -> np.ndarray:
    @claim(data=PROMPTS, metric=logit_diff("io", "s"), model=MODEL)
    def plain(model: Any) -> Correspondence:
        return Correspondence({InterpNode("root", Exact()): output(at="end")})

    done = scrub.run(plain, samples=SAMPLES, session=session(), diagnose=False)
    return done.frame["row"].to_numpy()


def difference(logits: torch.Tensor, data: Dataset) -> np.ndarray:
    rows, end = torch.arange(len(data)), torch.tensor(data.position("end"))
    io, s = (torch.tensor(data.label(name)) for name in ("io", "s"))
    last = logits[rows, end]
    return (last[rows, io] - last[rows, s]).detach().numpy()


@pytest.mark.parametrize("layer", [1, 3])
def test_activation_patching_by_hooks_gives_the_same_effects(layer: int) -> None:
    """Restoring z of a head at all positions, everything behind it recomputed."""
    clean, corrupted = drawn(references())
    ours = swept(through=anything).frame.set_index("sender")
    mask = torch.tensor(np.arange(clean.inputs["tokens"].shape[1]) < clean.lengths[:, None])
    name = f"blocks.{layer}.attn.hook_z"
    tokens = [torch.tensor(data.inputs["tokens"]) for data in (clean, corrupted)]
    kept: dict[str, torch.Tensor] = {}

    def keep(value: torch.Tensor, hook: Any) -> None:
        kept["z"] = value.clone()

    run = functools.partial(bridge().run_with_hooks, attention_mask=mask.long())
    with torch.no_grad():
        run(tokens[0], fwd_hooks=[(name, keep)])
        before = difference(run(tokens[1]), clean)
        for head in range(4):

            def restore(value: torch.Tensor, hook: Any, head: int = head) -> torch.Tensor:
                value = value.clone()
                value[:, :, head] = kept["z"][:, :, head]
                return value

            after = difference(run(tokens[1], fwd_hooks=[(name, restore)]), clean)
            effect = ours.loc[f"head {layer}.{head}", "effect"]
            assert effect == pytest.approx((after - before).mean(), abs=1e-5)


def test_all_of_the_stream_restores_the_total_and_corrupts_it() -> None:
    """Law: the whole input restored is the original; its share is 1 either way."""
    for restore in (True, False):
        found = swept(senders="streams", through=anything, restore=restore)
        first = found.frame.set_index("sender").loc["stream 0"]
        total = found.totals[0].mean
        assert first["effect"] == pytest.approx(total if restore else -total, abs=1e-4)
        assert first["share"] == pytest.approx(1, abs=1e-4)


def test_layers_restored_directly_are_the_sum_of_their_parts_before_the_norm() -> None:
    """A layer is its heads and its MLP as one sender."""
    whole = swept(senders="layers", at="end").frame.set_index("sender")
    named = swept(senders={"mine": heads([(3, h) for h in range(4)]) | mlp(3)}, at="end").frame
    assert named["effect"].item() == pytest.approx(whole.loc["layer 3", "effect"], abs=1e-5)


def test_each_position_is_a_sender_of_its_own() -> None:
    found = swept(senders="1.0,1.1", at="each", through=anything).frame
    assert set(found["at"]) == {"start", "io", "s1", "s1+1", "s2", "end"}
    alone = swept(senders="1.0", at="s2", through=anything).frame
    both = found[(found["sender"] == "head 1.0") & (found["at"] == "s2")]
    assert both["effect"].item() == pytest.approx(alone["effect"].item(), abs=1e-6)


def test_positions_that_the_receiver_does_not_read_are_left_out_and_counted() -> None:
    found = swept(at="each")
    assert set(found.frame["at"]) == {"end"}, "a direct path to the logits stays at END"
    assert (len(found.frame), found.left_out) == (16, 5 * 16)


def test_several_metrics_at_once_and_the_intervals_count_them_all() -> None:
    behaviour = ioi.behaviour(24, seed=3)
    both = swept(behaviour, metric=["logit_diff", kl()], at="end")
    assert both.tried == 32
    assert {e.confidence for of in both.effects for e in of} == {1 - 0.05 / 32}
    assert list(both.frame["metric"].unique()) == ["logit(io) − logit(s)", "KL from the original"]
    twice = swept(behaviour, at="end", metric=["logit_diff", "logit(io) − logit(s)"])
    assert (len(twice.metrics), twice.tried) == (1, 16)
    one = swept(behaviour, at="end")
    assert {e.confidence for e in one.effects[0]} == {1 - 0.05 / 16}
    wider, narrower = both.effects[0][12], one.effects[0][12]
    assert wider.mean == pytest.approx(narrower.mean, abs=1e-5)
    assert wider.low < narrower.low < narrower.mean < narrower.high < wider.high


def test_attention_to_a_column_is_measured_where_it_is() -> None:
    """S-inhibition turns the name movers' attention to the IO: restored, there is more of it."""
    found = swept(to="name mover.attention:io@end", at="end")
    frame = found.frame.set_index("sender")
    assert frame.loc["head 2.0", "effect"] > 0.2
    assert found.totals[0].mean > 0.5
    assert abs(frame.loc["head 0.3", "effect"]) < 0.05


def test_change_of_an_output_is_that_of_a_behaviour_about_it() -> None:
    """Law: `--to HEADS.output` is a sweep whose root are the heads, by the metric distance."""

    @scrub.behaviour(data=PROMPTS, metric=distance(), corrupt=Paired(FLIPPED))
    def movers(model: Any) -> Any:
        return heads(model.role("name mover"), at="end")

    found, expected = swept(to="name mover.output@end", at="end"), swept(movers, at="end")
    columns = ["sender", "effect", "low", "high"]
    assert found.frame[columns].equals(expected.frame[columns])
    told = found.frame.set_index("sender")
    assert set(told.index) == {f"head {layer}.{head}" for layer in range(3) for head in range(4)}
    assert told.loc["head 2.0", "effect"] < -0.1
    assert abs(told.loc["head 0.3", "effect"]) < 0.05


def test_a_frame_is_sorted_and_knows_what_was_tried() -> None:
    found = swept(at="end")
    sizes = found.frame["effect"].abs().to_numpy()
    assert (np.diff(sizes) <= 0).all()
    first = found.top(3)
    assert len(first.frame) == 3
    assert first.tried == 16
    assert first.frame["effect"].tolist() == found.frame["effect"].head(3).tolist()
    assert repr(found).startswith("Sweep(ioi → logits: 16 senders, largest head 3.")
    assert "<table" in found._repr_html_()


def test_a_share_of_a_total_that_is_not_told_from_zero_is_undefined() -> None:
    """A flip of the order changes no answer."""
    found = swept(ioi.behaviour(24, seed=3, corrupt="order"), at="end")
    assert found.totals[0].low < 0 < found.totals[0].high
    assert found.frame["share"].isna().all()


def test_with_the_order_flipped_only_what_points_by_position_shows_and_points_wrong() -> None:
    found = swept(ioi.behaviour(24, seed=3, corrupt="order"), at="end", through=anything)
    effects = found.frame.set_index("sender")["effect"]
    assert effects["head 2.1"] < -5
    assert abs(effects["head 3.0"]) < 1
    assert abs(effects["head 3.1"]) < 1


def test_the_hooks_would_find_another_path() -> None:
    """The check by hooks can fail: direct effects are not those along all paths."""
    ours = [swept(through=through).frame.set_index("sender") for through in (none, anything)]
    direct, every = (frame.loc["head 2.1", "effect"] for frame in ours)
    assert abs(direct - every) > 1


def test_an_own_metric_gets_the_root_as_in_a_claim() -> None:
    def margin(logits: torch.Tensor, rows: Any) -> torch.Tensor:
        assert logits.dim() == 2
        return logits.max(-1).values

    found = swept(metric=custom(margin), senders="3.0", at="end")
    assert found.frame["metric"].tolist() == ["margin"]


@pytest.mark.parametrize("kind", ["heads", "mlps", "layers", "streams"])
@pytest.mark.parametrize("through", [none, mlps, anything])
@pytest.mark.parametrize("to", ["logits", "2.1.q@end", "1.0.v", "blocks.1.mlp"])
def test_whole_senders_that_reach_are_those_whose_paths_are_legal(
    kind: str, through: Any, to: str
) -> None:
    """The walk over streams says what the check of each member by itself says."""
    family, senders = family_of(kind, through, to)
    quick = family._reaching_whole(senders)
    each = [sender for sender in senders if is_legal(family, sender)]
    assert quick == each
    grouped: dict[object, list[Any]] = {}
    for number, sender in enumerate(senders):
        grouped.setdefault(family._apart(number, sender), []).append(sender)
    together = [one for group in grouped.values() for one in family._reaching(group)]
    assert sorted(s.name for s in together) == sorted(s.name for s in each)


def family_of(kind: str, through: Any, to: str) -> tuple[MemberTrees, Any]:
    model = session().describe(MODEL)
    data = session().data(PROMPTS, model)
    question = Question(to=to, senders=kind, through=through)
    family = MemberTrees(
        model, data, receiver_of(to, model, output(at="end")), output(at="end"), Uncond(), question,
        (logit_diff("io", "s"),),
    )  # fmt: skip
    return family, named_senders(kind, model).senders


def is_legal(family: MemberTrees, sender: Any) -> bool:
    try:
        family.check_member(sender)
    except scrub.UserError:
        return False
    return True


def test_on_a_graph_of_functions_by_hand() -> None:
    """out = x·y + z over all bits: from the row of all ones, z restored changes z − 1."""
    sums = load(ROOT / "tests" / "hypotheses" / "sums.py")
    out = custom(lambda value, references: value, higher_is_better=None)
    behaviour = scrub.Behaviour("out", lambda model: site("out"), sums.DATA, out, Fixed([7] * 8))
    found = scrub.patch(behaviour, model=sums.MODEL, senders=site("product") | site("z"))
    effects = dict(zip((sender.name for sender in found.senders), found.effects[0], strict=True))

    @claim(data=sums.DATA, metric=out, model=sums.MODEL)
    def plain(model: Any) -> Correspondence:
        return Correspondence({InterpNode("root", Exact()): site("out")})

    rows = scrub.run(plain, diagnose=False).frame["row"].to_numpy()
    x, y, z = sums.X[rows], sums.Y[rows], sums.Z[rows]
    assert effects["z"].mean == pytest.approx((z - 1).mean())
    assert effects["product"].mean == pytest.approx((x * y - 1).mean())
    assert found.totals[0].mean == pytest.approx((x * y + z - 2).mean())


def noted(behaviour: Any, **options: Any) -> list[str]:
    """What a sweep says of corrupted inputs of another length."""
    found = swept(behaviour, senders="1.0", through=anything, **options)
    return [line for line in foot(found, 5) if "have another length" in line]


@pytest.mark.parametrize("restore", [True, False])
def test_corrupted_inputs_of_another_length_are_told_where_positions_are_counted(
    restore: bool,
) -> None:
    longer = ioi.behaviour(24, seed=3, corrupt=Paired(ioi.prompts(24, seed=3, prefixes=2)))
    (line,) = noted(longer, restore=restore)
    assert 0 < int(line.split()[0]) <= SAMPLES
    assert noted(longer, restore=restore, at="end") == []
    assert noted(None, restore=restore) == []
    assert noted(longer, restore=restore, at=3) != []
