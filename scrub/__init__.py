"""scrub: test mechanistic-interpretability claims by causal scrubbing.

What a hypothesis file needs is here, except datasets and metrics. Heavy parts load when used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scrub import observe
    from scrub.api import explain, patch, run, run_all
    from scrub.api_circuits import circuit_scores, shared_circuits
    from scrub.api_claims import check, paths, plan, show
    from scrub.api_edits import edit_report
    from scrub.api_find import find
    from scrub.circuits.claimed import circuit_of
    from scrub.circuits.completeness import SetsOf
    from scrub.circuits.files import read_circuit, write_circuit
    from scrub.circuits.scores import CircuitScores
    from scrub.circuits.shared import SharedCircuits
    from scrub.data.dataset import Dataset, Recipe, Rows
    from scrub.data.frames import from_frame
    from scrub.data.images import Images
    from scrub.data.task import Task
    from scrub.errors import UserError
    from scrub.hypothesis.behaviour import Behaviour, behaviour
    from scrub.hypothesis.belief import (
        answers,
        attends,
        inconclusive,
        lowers,
        raises,
        recovers,
        refuted,
        supported,
        unchanged,
        vacuous,
    )
    from scrub.hypothesis.circuit import Circuit, edge
    from scrub.hypothesis.claim import Claim, claim
    from scrub.hypothesis.correspondence import Correspondence, InterpNode
    from scrub.hypothesis.held_out import held_out
    from scrub.hypothesis.not_applicable import not_applicable
    from scrub.hypothesis.residual import residual
    from scrub.hypothesis.sites import (
        anything,
        embeddings,
        heads,
        input_stream,
        mlp,
        mlp_part,
        mlps,
        none,
        output,
        position_embedding,
        projector,
        site,
        summand,
        token_embedding,
    )
    from scrub.hypothesis.splits import (
        estimate,
        neurons,
        projection,
        source_positions,
    )
    from scrub.matrix.matrix import Matrix, read_matrix
    from scrub.model.edits import activation, edited, rank_one, scale, swap, zero
    from scrub.model.families import register_family
    from scrub.model.given import Model
    from scrub.report.claim_views import Checked, ClaimPlan, ClaimSwaps
    from scrub.report.explanation import Explanation
    from scrub.results.comparison import Comparison, compare
    from scrub.results.inapplicable import Inapplicable
    from scrub.results.result import Result
    from scrub.results.several import Results
    from scrub.runner.session import Session
    from scrub.runner.tasks import tasks
    from scrub.samplers import (
        Agree,
        Constant,
        Differ,
        Exact,
        Fixed,
        Generate,
        Input,
        Mean,
        Paired,
        Pool,
        Steer,
        Together,
        Uncond,
        Weighted,
        Zero,
    )
    from scrub.searches.path_search import PathSearch
    from scrub.searches.paths import ClaimPaths
    from scrub.sweeps.sweep import Sweep

_HOME = {
    "scrub.api": "explain patch run run_all",
    "scrub.api_circuits": "circuit_scores shared_circuits",
    "scrub.api_claims": "check paths plan show",
    "scrub.api_edits": "edit_report",
    "scrub.api_find": "find",
    "scrub.circuits.claimed": "circuit_of",
    "scrub.circuits.completeness": "SetsOf",
    "scrub.circuits.files": "read_circuit write_circuit",
    "scrub.circuits.scores": "CircuitScores",
    "scrub.circuits.shared": "SharedCircuits",
    "scrub.data.dataset": "Dataset Recipe Rows",
    "scrub.results.comparison": "Comparison compare",
    "scrub.errors": "UserError",
    "scrub.data.frames": "from_frame",
    "scrub.data.images": "Images",
    "scrub.data.task": "Task",
    "scrub.hypothesis.circuit": "Circuit edge",
    "scrub.hypothesis.behaviour": "Behaviour behaviour",
    "scrub.hypothesis.claim": "Claim claim",
    "scrub.hypothesis.belief": "answers attends inconclusive lowers raises recovers refuted "
    "supported unchanged vacuous",
    "scrub.hypothesis.correspondence": "Correspondence InterpNode",
    "scrub.matrix.matrix": "Matrix read_matrix",
    "scrub.model.edits": "activation edited rank_one scale swap zero",
    "scrub.model.families": "register_family",
    "scrub.model.given": "Model",
    "scrub.results.inapplicable": "Inapplicable",
    "scrub.results.result": "Result",
    "scrub.results.several": "Results",
    "scrub.samplers": "Agree Constant Differ Exact Fixed Generate Input Mean Paired Pool Steer "
    "Together Uncond Weighted Zero",
    "scrub.runner.session": "Session",
    "scrub.runner.tasks": "tasks",
    "scrub.hypothesis.held_out": "held_out",
    "scrub.hypothesis.not_applicable": "not_applicable",
    "scrub.hypothesis.residual": "residual",
    "scrub.searches.path_search": "PathSearch",
    "scrub.searches.paths": "ClaimPaths",
    "scrub.report.claim_views": "Checked ClaimPlan ClaimSwaps",
    "scrub.report.explanation": "Explanation",
    "scrub.sweeps.sweep": "Sweep",
    "scrub.hypothesis.sites": "anything embeddings heads input_stream mlp mlp_part mlps none "
    "output position_embedding projector site summand token_embedding",
    "scrub.hypothesis.splits": "estimate neurons projection source_positions",
}
_MODULE = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "Agree",
    "Behaviour",
    "Checked",
    "Circuit",
    "CircuitScores",
    "Claim",
    "ClaimPaths",
    "ClaimPlan",
    "ClaimSwaps",
    "Comparison",
    "Constant",
    "Correspondence",
    "Dataset",
    "Differ",
    "Exact",
    "Explanation",
    "Fixed",
    "Generate",
    "Images",
    "Inapplicable",
    "Input",
    "InterpNode",
    "Matrix",
    "Mean",
    "Model",
    "Paired",
    "PathSearch",
    "Pool",
    "Recipe",
    "Result",
    "Results",
    "Rows",
    "Session",
    "SetsOf",
    "SharedCircuits",
    "Steer",
    "Sweep",
    "Task",
    "Together",
    "Uncond",
    "UserError",
    "Weighted",
    "Zero",
    "activation",
    "answers",
    "anything",
    "attends",
    "behaviour",
    "check",
    "circuit_of",
    "circuit_scores",
    "claim",
    "compare",
    "edge",
    "edit_report",
    "edited",
    "embeddings",
    "estimate",
    "explain",
    "find",
    "from_frame",
    "heads",
    "held_out",
    "inconclusive",
    "input_stream",
    "lowers",
    "mlp",
    "mlp_part",
    "mlps",
    "neurons",
    "none",
    "not_applicable",
    "observe",
    "output",
    "patch",
    "paths",
    "plan",
    "position_embedding",
    "projection",
    "projector",
    "raises",
    "rank_one",
    "read_circuit",
    "read_matrix",
    "recovers",
    "refuted",
    "register_family",
    "residual",
    "run",
    "run_all",
    "scale",
    "shared_circuits",
    "show",
    "site",
    "source_positions",
    "summand",
    "supported",
    "swap",
    "tasks",
    "token_embedding",
    "unchanged",
    "vacuous",
    "write_circuit",
    "zero",
]


def __getattr__(name: str) -> Any:
    if name == "observe":
        return import_module("scrub.observe")
    if name not in _MODULE:
        raise AttributeError(f"module 'scrub' has no attribute {name!r}")
    return getattr(import_module(_MODULE[name]), name)
