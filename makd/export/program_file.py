"""A classifier as a file of ``torch.export``."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from makd.export.check_outputs import check_outputs
from makd.export.pixel_classifier import PixelClassifier
from makd.export.trace import trace
from makd.files import atomic_file

METADATA_FILE = 'makd.json'


def write_program(classifier: PixelClassifier, size: tuple[int, int], metadata: Mapping[str, Any], out: Path) -> float:
    """Write a classifier as ``torch.export.load`` reads it, after it has been read and run.

    Args:
        classifier: The classifier.
        size: H and W.
        metadata: What to store in the file, as JSON; ``torch.export.load(..., extra_files={'makd.json': ''})`` gives
            it back.
        out: The file.

    Returns:
        The largest absolute difference to the model's probabilities.

    Raises:
        ConfigError: ``torch.export`` cannot follow the network, or the outputs differ; then nothing is written.
    """
    content = io.BytesIO()
    torch.export.save(
        trace(classifier, size), content, extra_files={METADATA_FILE: json.dumps(metadata, ensure_ascii=False)}
    )
    content.seek(0)
    with torch.no_grad(), atomic_file(out) as file:
        difference = check_outputs(torch.export.load(content).module(), classifier, size, str(out))
        file.write(content.getbuffer())
    return difference
