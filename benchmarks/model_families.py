"""Check that no model family is slower with a shared prefix than with one forward pass per question.

    OMP_NUM_THREADS=1 python benchmarks/model_families.py

The models are those of tests/annotation/tiny_models.py, eight times as wide and with random weights: a few million
parameters, and 50 questions after an image and a system prompt. Both methods are implemented by `makd.HFAnnotator`, and
they alternate. The possible gain depends on the lengths of prefix and questions, so the point is that no ratio is below
1. Times are the process's CPU seconds without an accelerator, wall-clock time otherwise.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from measure import seconds
from PIL import Image
from transformers import AutoModelForImageTextToText
from transformers.utils import logging

from makd.annotation.annotators import HFAnnotator
from makd.questions import Question, QuestionSet

sys.path.append(str(Path(__file__).parents[1] / 'tests' / 'annotation'))
from tiny_models import FAMILIES, QUESTIONS, spread_weights

NUM_QUESTIONS = 50
WIDER = 8
WIDTHS = {
    'hidden_size',
    'intermediate_size',
    'head_dim',
    'out_hidden_size',
    'mrope_section',
    'query_pre_attn_scalar',
}
SYSTEM_PROMPT = 'Look at the picture, and answer what you are asked about it, with one word. ' * 2


def widened(node: Any) -> Any:
    """Return a config dict with all widths multiplied."""
    if not isinstance(node, dict):
        return node
    return {
        key: (np.array(value) * WIDER).tolist() if key in WIDTHS and value is not None else widened(value)
        for key, value in node.items()
    }


def make_annotator(family: str, folder: str) -> HFAnnotator:
    """Write a checkpoint of the family and return an annotator that has loaded it."""
    config, processor = FAMILIES[family]()
    config = type(config).from_dict(widened(config.to_dict()))
    torch.manual_seed(0)
    AutoModelForImageTextToText.from_config(config).apply(spread_weights).save_pretrained(folder)
    processor.save_pretrained(folder)
    texts = [QUESTIONS[index % len(QUESTIONS)] + ' Think again.' * (index // 10) for index in range(NUM_QUESTIONS)]
    questions = QuestionSet(Question(f'q{index}', text) for index, text in enumerate(dict.fromkeys(texts)))
    return HFAnnotator(folder, questions, system_prompt=SYSTEM_PROMPT)


def compare(annotator: HFAnnotator, rounds: int) -> tuple[str, int, list[float]]:
    """Return the method chosen by the self-check, the length of the prefix, and the ratios of the times."""
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8))
    mode = annotator.start(image)['scoring']
    length = annotator.preparer(image)[0]['input_ids'].shape[1]
    ratios = []
    for number in range(rounds + 1):
        times = {}
        for method in ('naive', mode):
            annotator.scorer.mode = method
            inputs = [annotator.preparer(image)]
            times[method] = seconds(lambda inputs=inputs: annotator.answer(inputs))
        if number > 0:  # the first round is a warm-up
            ratios.append(times['naive'] / times[mode])
    return mode, length, ratios


def main() -> None:
    """Print one row per family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=5)
    args = parser.parse_args()
    logging.set_verbosity_error()
    print(f'{NUM_QUESTIONS} questions, {args.rounds} rounds\n')
    print('| family | method | prefix | speed-up (lowest to highest) |')
    print('| --- | --- | --- | --- |')
    slowest = float('inf')
    for family in FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            mode, length, ratios = compare(make_annotator(family, folder), args.rounds)
        slowest = min(slowest, median(ratios))
        spread = f'{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})'
        print(f'| {family} | {mode} | {length} tokens | {spread} |', flush=True)
    print(f'\nlowest speed-up of all families: {slowest:.2f}')


if __name__ == '__main__':
    main()
