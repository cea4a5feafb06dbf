"""The product's detectors behind the calls of an evaluation program: `--detector ml.evaluate:make_plant` and so on."""

from ml.evaluate.plant import make_plant
from ml.evaluate.process import make_process
from ml.evaluate.rul import make_rul
from ml.evaluate.stream import make_stream

__all__ = ["make_plant", "make_process", "make_rul", "make_stream"]
