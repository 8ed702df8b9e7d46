"""Names of sites: makers and parser are inverse, and every site of every model knows its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hypothesis import given
from hypothesis import strategies as st
from scrub import names
from scrub.engine.specialise import specialise
from scrub.hypothesis.correspondence import Correspondence, InterpNode
from scrub.hypothesis.sites import heads, mlp, output, summand
from scrub.hypothesis.splits import estimate, projection, source_positions
from scrub.hypothesis.tree import treeify
from scrub.model.config import Shape
from scrub.model.graph import Graph, graph_in_order
from scrub.model.registry import describe, embedded_names
from scrub.model.skeleton import skeleton
from scrub.names import Cell, SiteName, parse
from scrub.samplers import Exact, Uncond
from support import tiny_models

LAYERS = st.integers(0, 999)
PIECES = st.from_regex(r"[a-z_]+", fullmatch=True)
OF_HEADS = (
    *("q_in", "k_in", "v_in", "q_normed", "k_normed", "v_normed", "q", "k", "v"),
    *("mask", "scores", "pattern", "z", "result"),
)
OF_MLPS = ("in", "normed", "pre", "pre_linear", "post")


@given(st.text(alphabet="blocks.0123-#attnmlpz_ é"))
def test_any_name_is_its_pieces(name: str) -> None:
    assert str(parse(name)) == name


@given(st.text(alphabet="b.01-#z").map(lambda rest: f"blocks.{rest}"))
def test_any_name_that_begins_like_a_layers_is_its_pieces(name: str) -> None:
    assert str(parse(name)) == name


@given(LAYERS, PIECES, st.none() | PIECES, st.none() | st.text())
def test_pieces_are_those_that_a_name_was_made_of(
    layer: int, part: str, within: str | None, summand: str | None
) -> None:
    made = SiteName(part, layer, within, summand)
    assert parse(str(made)) == made


@given(LAYERS, PIECES)
def test_makers_and_parser_are_inverse(layer: int, part: str) -> None:
    assert parse(names.attention_site(layer, part)) == SiteName(part, layer, "attn")
    assert parse(names.layer_site(layer, part)) == SiteName(part, layer)
    assert parse(names.mlp_site(layer, part)) == SiteName(f"mlp_{part}", layer)
    assert parse(names.mlp(layer)) == SiteName("mlp", layer)
    assert parse(names.attention_output(layer)) == SiteName("attn_out", layer)
    site = names.attention_site(layer, "z")
    assert parse(names.summand_site(site, part)) == SiteName("z", layer, "attn", part)
    assert parse(site).beside(part) == names.attention_site(layer, part)
    assert parse(site).in_layer(layer + 1) == names.attention_site(layer + 1, "z")


@pytest.mark.parametrize("name", ["blocks.01.mlp", "blocks.1_0.mlp", "blocks.²", "blocks.-0.z"])
def test_what_is_no_number_is_no_layer(name: str) -> None:
    assert parse(name).layer is None


def test_cells_in_words() -> None:
    assert str(Cell("blocks.3.attn.z", 1)) == "head 3.1"
    assert str(Cell("blocks.3.attn.q_in", 1)) == "q_in of head 3.1"
    assert str(Cell("blocks.3.mlp")) == "MLP 3"
    assert str(Cell("blocks.3.mlp_pre")) == "mlp_pre of layer 3"
    assert str(Cell("blocks.3.attn_out")) == "attn_out of layer 3"
    assert str(Cell("embed")) == "embed"
    assert str(Cell("blocks.3.attn.z", 1, "phi")) == "summand phi of head 3.1"
    assert str(Cell("blocks.3.attn.z#phi", 1)) == "summand phi of head 3.1"


def expected(shape: Shape) -> Iterator[tuple[str, int | None, str]]:
    """The names of a model's sites, with layer and part."""
    embeddings = [names.EMBED] if shape.rotary else [names.EMBED, names.POS_EMBED]
    for part in (*embeddings, names.LOGITS_IN, names.LOGITS_NORMED, names.LOGITS):
        yield part, None, part
    for layer in range(shape.layers):
        for part in OF_HEADS:
            yield names.attention_site(layer, part), layer, part
        yield names.attention_output(layer), layer, "attn_out"
        if shape.mlps:
            yield names.mlp(layer), layer, "mlp"
        for part in OF_MLPS if shape.mlps else ():
            if part != "pre_linear" or shape.gated:
                yield names.mlp_site(layer, part), layer, f"mlp_{part}"


def check(graph: Graph) -> None:
    for name, site in graph.sites.items():
        found = parse(name)
        assert (found.layer, found.part, found.summand) == (site.layer, site.part, None)
        assert found.of_mlp == (site.kind == "mlp")
        assert found.of_attention == (site.kind == "attention")
        assert found.of_attention == (site.heads is not None)
        at_z = found.is_z and found.layer is not None
        result = names.attention_site(found.layer, "result") if at_z else None  # type: ignore[arg-type]
        assert site.output == result
        assert site.output is None or site.output in graph.sites


@pytest.mark.parametrize("name", embedded_names())
def test_sites_of_embedded_models(name: str) -> None:
    check(describe(name).graph)


def shape(tiny: tiny_models.Shape) -> Shape:
    return Shape(
        layers=tiny.layers,
        heads=tiny.heads,
        kv_heads=tiny.heads,
        d_model=tiny.d_model,
        d_head=tiny.d_head,
        d_mlp=tiny.d_mlp,
        vocabulary=11,
        outputs=11,
        width=8,
        activation="gelu",
        epsilon=1e-5,
        scales=(1.0,) * tiny.layers,
        windows=(tiny.window,) * tiny.layers,
        mlps=tiny.mlps,
        gated=tiny.gated,
        parallel=tiny.parallel,
        rotary=not tiny.positions,
        causal=tiny.causal,
    )


@pytest.mark.parametrize("name", tiny_models.SHAPES)
def test_sites_of_tiny_models(name: str) -> None:
    of = shape(tiny_models.SHAPES[name])
    graph = skeleton(of)
    check(graph)
    found = {(name, site.layer, site.part) for name, site in graph.sites.items()}
    assert found == set(expected(of))


def test_a_summands_site_is_one_of_its_layer() -> None:
    root = InterpNode("logits", Exact(), other=Exact())
    split = {"head": (heads([(1, 0)]), source_positions(), "2"),
             "MLP": (mlp(0), projection(one=[1.0] + [0.0] * 7), "one")}  # fmt: skip
    nodes = {root.child(name, Uncond()): summand(*of) for name, of in split.items()}
    tree = treeify(Correspondence({root: output(), **nodes}))
    _, graph = specialise(tree, skeleton(shape(tiny_models.SHAPES["2x2"])))
    parts = {name: site for name, site in graph.sites.items() if site.summand_of}
    assert {site.summand_of for site in parts.values()} == {"blocks.1.attn.z", "blocks.0.mlp"}
    for name, site in parts.items():
        found = parse(name)
        assert (found.layer, found.part) == (site.layer, site.part)
        assert name == names.summand_site(str(site.summand_of), str(found.summand))
        assert site.output is None


@pytest.mark.parametrize("name", ["whole", "estimate"])
def test_a_summand_may_be_called_as_what_it_is_computed_from(name: str) -> None:
    splits = projection(**{name: [1.0] + [0.0] * 7}), estimate(lambda rows: None, name=name)
    for split in splits:
        root = InterpNode("logits", Exact(), other=Exact())
        node = root.child("MLP", Uncond())
        tree = treeify(Correspondence({root: output(), node: summand(mlp(0), split, name)}))
        plain = skeleton(shape(tiny_models.SHAPES["2x2"]))
        _, graph = specialise(tree, plain)
        added = graph.sites.keys() - plain.sites.keys()
        assert len(added) == (4 if split is splits[1] else 3)
        graph_in_order(graph.values)  # asserts that none reads what stands after it
