"""Measure how fast an exported student runs with onnxruntime and torch.export, as a ratio to PyTorch's eager mode.

    python benchmarks/export.py

One image at a time, on one CPU thread, from uint8 RGB pixels to probabilities. The methods alternate, so that changes
in the machine's speed affect all of them equally; the result is the median of the ratios of all rounds. The weights are
random, which does not affect the time.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import torch
from measure import take_turns
from mmengine.config import Config
from mmengine.registry import init_default_scope

from makd.export.programs import PixelClassifier, write_onnx, write_program
from makd.registry import MODELS


def build(config: str) -> PixelClassifier:
    """Build the student of a config, with ImageNet's normalisation."""
    model = Config.fromfile(config).model
    model.data_preprocessor = dict(
        type='ClsDataPreprocessor', mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
    )
    return PixelClassifier(MODELS.build(model).eval())


def repeated(run: Callable[[], object], images: int) -> Callable[[], None]:
    """Return a function that runs one round, one image after another."""

    def work() -> None:
        with torch.no_grad():
            for _ in range(images):
                run()

    return work


def main() -> None:
    """Export and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default='configs/makd/resnet18_stanford_cars.py', help='of a MaKD classifier')
    parser.add_argument('--size', type=int, default=224, help='height and width of the image')
    parser.add_argument('--rounds', type=int, default=30)
    parser.add_argument('--images', type=int, default=5, help='images per round')
    args = parser.parse_args()

    torch.set_num_threads(1)
    init_default_scope('mmpretrain')
    classifier = build(args.config)
    images = torch.zeros(1, 3, args.size, args.size, dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder:
        onnx, pt2 = Path(folder, 'student.onnx'), Path(folder, 'student.pt2')
        size = (args.size, args.size)
        write_onnx(classifier, size, {}, onnx)
        write_program(classifier, size, {}, pt2)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(onnx, options, providers=['CPUExecutionProvider'])
        program = torch.export.load(pt2).module()
    feeds = {'images': images.numpy()}
    eager = repeated(lambda: classifier(images), args.images)
    for name, run in (('onnxruntime', lambda: session.run(None, feeds)), ('torch.export', lambda: program(images))):
        take_turns(eager, repeated(run, args.images), args.rounds, f'{args.images} images', name)


if __name__ == '__main__':
    main()
