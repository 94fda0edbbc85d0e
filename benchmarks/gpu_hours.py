"""What annotation costs on a GPU, by counting floating-point operations: GPU-hours, naive and with one prefix.

    python benchmarks/gpu_hours.py

An estimate, not a measurement: InternVL2-8B's layers (InternViT-300M, InternLM2.5-7B), 50 questions of 22 tokens behind
40 tokens of template, on an A100 (312 TFLOP/s in bfloat16), of which a share is used that is given as a range. Naive is
one forward a question with the logits of its last token only; the authors' code, which generates, costs more.
"""

import argparse

A100 = 312e12
QUESTIONS, QUESTION_TOKENS, TEMPLATE_TOKENS, TILE_TOKENS = 50, 22, 40, 256
UTILIZATION = (0.3, 0.5)
TRAINING_IMAGES = {
    'ImageNet-1k': 1_281_167,
    'COCO 2017': 118_287,
    'StanfordCars': 8_144,
    'OxfordPets': 3_680,
    'DTD': 3_760,
    '102Flowers': 2_040,
    'CUB-200': 5_994,
    'FGVC-Aircraft': 6_667,
    'Caltech101': 3_060,
    'Mini-ImageNet': 50_000,
}


def layer(width: int, hidden: int, key_values: int, matrices: int, tokens: float, attended: float) -> float:
    """Return the operations of a transformer layer on ``tokens``, each of which attends to ``attended`` in the mean.

    Args:
        width: Of the residual stream.
        hidden: Of the feed-forward net.
        key_values: Width of keys, and of values.
        matrices: 3 in a gated feed-forward net, 2 in a plain one.
        tokens: How many there are.
        attended: How many keys a token attends to.
    """
    projections = 2 * tokens * (2 * width * width + 2 * width * key_values + matrices * width * hidden)
    return projections + 4 * tokens * attended * width


def vision(tiles: int) -> float:
    """Return the operations of InternViT-300M on some tiles of 448 pixels."""
    return tiles * 24 * layer(1024, 4096, 1024, 2, 1025, 1025)


def language(tokens: int, before: int = 0) -> float:
    """Return the operations of InternLM2.5-7B on some tokens behind others, without the head."""
    return 32 * layer(4096, 14336, 1024, 3, tokens, before + tokens / 2)


def head() -> float:
    """Return the operations of the language-model head on one token."""
    return 2 * 4096 * 92553


def of_image(tiles: int) -> tuple[float, float]:
    """Return the operations of all questions about an image: naive, and behind one prefix."""
    prefix = TEMPLATE_TOKENS + tiles * TILE_TOKENS
    naive = QUESTIONS * (vision(tiles) + language(prefix + QUESTION_TOKENS) + head())
    shared = vision(tiles) + language(prefix) + QUESTIONS * (language(QUESTION_TOKENS, prefix) + head())
    return naive, shared


def hours(operations: float) -> str:
    """Return the range of GPU-hours that some operations take."""
    low, high = (operations / (A100 * share) / 3600 for share in reversed(UTILIZATION))
    digits = 0 if high >= 20 else 1 if high >= 1 else 2
    return f'{low:.{digits}f} - {high:.{digits}f}'


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    print('| training images | | 1 tile, naive | 1 tile, one prefix | 13 tiles, naive | 13 tiles, one prefix |')
    print('| --- | --- | --- | --- | --- | --- |')
    costs = [cost for tiles in (1, 13) for cost in of_image(tiles)]
    for name, images in TRAINING_IMAGES.items():
        print(f'| {name} | {images:,} | ' + ' | '.join(hours(images * cost) for cost in costs) + ' |')
    print(f'| TFLOP an image | | {" | ".join(f"{cost / 1e12:.1f}" for cost in costs)} |')
    print(f'| ratio | | | {costs[0] / costs[1]:.1f} | | {costs[2] / costs[3]:.1f} |')


if __name__ == '__main__':
    main()
