"""`make evaluate EVAL=../shared`: the product's detectors through an evaluation program, each on its suites, beside the built-in ones.

EVAL is a folder with tools/ml_eval.py and data/. Every suite is a run of its own, so that a detector meets only what it is for.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# suite -> (the product's entry, built-in rows that stand beside it: the usual ones, the best ones, the seeds' own)
SUITES = {
    "skab": ("make_plant", "always,three_sigma,ewma,cusum_k.5_h5,pca_t2q,ar_ridge,iforest_seed003_first30,vdrift,agree_vdrift_ar,combo"),
    "inject": ("make_plant", "three_sigma,ewma,cusum_k.5_h5,crossfit_cva,vdrift,agree_vdrift_ar,combo"),
    "nab": ("make_stream", "null,three_sigma,ewma,cusum_k.5_h5,vdrift,novelty"),
    "tep": ("make_process", "three_sigma,hotelling_t2,pca_t2q,cva,crossfit_cva,crossfit_pca_t2q"),
    "rul": ("make_rul", ""),
}


def command(folder: Path, suite: str) -> list[str]:
    """What runs one suite."""
    entry, beside = SUITES[suite]
    words = [sys.executable, str(folder / "tools" / "ml_eval.py"), "--path", str(ROOT), "--suite", suite]
    words += ["--rul" if suite == "rul" else "--detector", f"ml.evaluate:{entry}"]
    return [*words, "--only", beside] if beside else words


def main(arguments: list[str]) -> int:
    """Run the suites named after the folder, or all; 1 when one failed."""
    if not arguments or not arguments[0]:
        print("usage: make evaluate EVAL=folder [ARGS='skab nab']", file=sys.stderr)
        return 2
    folder = Path(arguments[0]).resolve()
    wanted = arguments[1:] or list(SUITES)
    if unknown := set(wanted) - set(SUITES):
        print(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}", file=sys.stderr)
        return 2
    failed = [suite for suite in wanted if subprocess.run(command(folder, suite), cwd=ROOT, check=False).returncode]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
