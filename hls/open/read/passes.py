"""LLVM's optimiser turns `step` into one acyclic function of integer operations.

Everything is inlined, loops are unrolled whole, local variables become values. Nothing may become a vector.
"""

from __future__ import annotations

import re

from hls.open.errors import Refused
from hls.open.read.bounds import WITHIN, bound_indices, settle_indices

OPTIONS = {
    "--unroll-threshold": 1 << 30,
    "--pragma-unroll-threshold": 1 << 30,
    "--unroll-full-max-count": 1 << 20,
    "--unroll-max-upperbound": 1 << 16,
    "--inline-threshold": 1 << 20,
    "--inlinehint-threshold": 1 << 20,
    "--jump-threading-threshold": 0,  # would copy stream accesses into several blocks
    "--two-entry-phi-node-folding-threshold": 100,
    # No loads of neighbours as one: LLVM 22 fails where their sum is narrower than both, i12 of two i8.
    "--aggressive-instcombine-max-scan-instrs": 0,
}
# What an access to a stream or a RAM may touch: its own argument, and something no load of the kernel can see.
EFFECTS = "nocallback nofree nosync nounwind willreturn memory(argmem: readwrite, inaccessiblemem: readwrite)"
MOST_ROUNDS = 8  # of the optimiser: each may give constants that let it unroll more
_initialised = False


def _llvm():
    global _initialised
    try:
        import llvmlite.binding as llvm
    except ImportError:
        raise Refused("the open route needs the package llvmlite; run `make setup`") from None
    if not _initialised:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        for option, value in OPTIONS.items():
            llvm.set_option("open-route", f"{option}={value}")
        _initialised = True
    return llvm


def annotate(ir: str) -> str:
    """Inline everything defined, keep the bounds of indices, and tell LLVM what the undefined functions (streams, RAMs)
    don't do.
    """
    lines = []
    for line in bound_indices(ir).splitlines():
        if line.startswith("declare ") and "@hls_open_" in line and f"@{WITHIN}" not in line:
            effects = EFFECTS.replace("argmem: readwrite, ", "") if "@hls_open_ram_independent(" in line else EFFECTS
            line = re.sub(r"\)[^)]*$", ") " + effects, line)
        elif line.startswith("attributes #"):
            line = re.sub(r"\b(noinline|optnone)\b", "", line)
        lines.append(line)
    return "\n".join(lines)


def optimise(ir: str, rounds: int = 2) -> str:
    """Return the optimised IR (text) of `ir` (text).

    Parameters
    ----------
    rounds : int
        How often the optimiser runs at least; it runs again as long as unrolled loops give constant indices.
    """
    llvm = _llvm()
    try:
        module = llvm.parse_assembly(annotate(ir))
    except RuntimeError as error:
        said = str(error).strip().splitlines()[0]
        raise Refused(
            f"llvmlite can't read what clang wrote ({said}): run `make setup` for versions that fit"
        ) from None
    machine = llvm.Target.from_triple(module.triple).create_target_machine(opt=2)
    for number in range(1, MOST_ROUNDS + 1):
        tuning = llvm.create_pipeline_tuning_options(speed_level=2)
        tuning.loop_vectorization = False
        tuning.slp_vectorization = False
        tuning.loop_interleaving = False
        tuning.loop_unrolling = True
        builder = llvm.create_pass_builder(machine, tuning)
        manager = builder.getModulePassManager()
        manager.run(module, builder)
        text = str(module)
        settled = settle_indices(text)
        if settled != text:
            module = llvm.parse_assembly(settled)
        elif number >= rounds:
            break
    module.verify()
    return str(module)
