"""`make evaluate EVAL=../shared`: the product's detectors through an evaluation program, each on its suites, beside the built-in ones.

EVAL is a folder with tools/ml_eval.py and data/. Every suite is a run of its own, so that a detector meets only what it is for. At the
end a line a suite says what was wanted, what was measured and whether that is enough; 0 only when all of it is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.evaluate_goals import NotMeasured, judged

ROOT = Path(__file__).resolve().parent.parent
LONGEST_S = 1800.0  # a suite; beside four busy programs inject took 9 minutes, nab 3, the others 2 at most
# suite -> (the product's entry, built-in rows that stand beside it: the usual ones, the best ones, the seeds' own)
SUITES = {
    "skab": ("make_plant", "always,three_sigma,ewma,cusum_k.5_h5,pca_t2q,ar_ridge,iforest_seed003_first30,vdrift,agree_vdrift_ar,combo"),
    "inject": ("make_plant", "three_sigma,ewma,cusum_k.5_h5,crossfit_cva,vdrift,agree_vdrift_ar,combo"),
    "nab": ("make_stream", "null,three_sigma,ewma,cusum_k.5_h5,vdrift,novelty"),
    "tep": ("make_process", "three_sigma,hotelling_t2,pca_t2q,cva,crossfit_cva,crossfit_pca_t2q"),
    "rul": ("make_rul", ""),
}


def command(folder: Path, suite: str, figures: Path) -> list[str]:
    """What runs one suite and writes its rows to figures."""
    entry, beside = SUITES[suite]
    words = [sys.executable, str(folder / "tools" / "ml_eval.py"), "--path", str(ROOT), "--suite", suite, "--json", str(figures)]
    words += ["--rul" if suite == "rul" else "--detector", f"ml.evaluate:{entry}"]
    return [*words, "--only", beside] if beside else words


def told(folder: Path, suite: str, longest_s: float = LONGEST_S) -> tuple[str, bool]:
    """Run one suite, which prints its own table; the line for the end, and whether its goal is met."""
    with tempfile.TemporaryDirectory() as scratch:
        figures, began = Path(scratch) / "rows.json", time.monotonic()
        process = subprocess.Popen(command(folder, suite, figures), cwd=ROOT, start_new_session=True)
        try:
            code = process.wait(longest_s)
        except subprocess.TimeoutExpired:
            return f"{suite:<8}not ended after {longest_s:.0f} s", False
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code != 0:
            return f"{suite:<8}failed: the program ended with {code}", False
        try:
            one = judged(suite, json.loads(figures.read_text("utf-8"))[suite])
        except (OSError, ValueError, KeyError, NotMeasured) as error:
            return f"{suite:<8}failed: {error}", False
    line = f"{suite:<8}{'met' if one.met else 'NOT MET':<9}{one.measured} | wanted: {one.wanted} | {time.monotonic() - began:.0f} s"
    return line, one.met


def main(arguments: list[str]) -> int:
    """Run the suites named after the folder, or all; 1 when one failed or missed its goal, 2 when the call makes no sense."""
    if not arguments or not arguments[0]:
        print("usage: make evaluate EVAL=folder [ARGS='skab nab']", file=sys.stderr)
        return 2
    folder = Path(arguments[0]).resolve()
    if not (folder / "tools" / "ml_eval.py").is_file():
        print(f"no {folder / 'tools' / 'ml_eval.py'}", file=sys.stderr)
        return 2
    wanted = arguments[1:] or list(SUITES)
    if unknown := set(wanted) - set(SUITES):
        print(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}", file=sys.stderr)
        return 2
    found = [told(folder, suite) for suite in wanted]
    print("\n" + "\n".join(line for line, _ in found), flush=True)
    return 0 if all(met for _, met in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
