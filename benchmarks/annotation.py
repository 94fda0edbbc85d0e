"""Measure what the shared prefix saves: 50 questions about an image, compared with one forward pass for each.

    OMP_NUM_THREADS=1 python benchmarks/annotation.py

The model is an InternVL with random weights: a ViT of 6 x 384 at 448 pixels, 256 image tokens, a language model of
12 x 1024 with a vocabulary of 92,553; a prefix of 272 tokens and 50 questions of 16 to 28 tokens. The two methods
alternate. A plain forward pass computes the logits of the last token only, and is timed on every tenth question by
length. The best possible ratio is a count of floating-point operations: those of the plain method divided by those of
one prefix and 50 suffixes. Times are the process's CPU seconds without an accelerator, wall-clock time otherwise.

Then the same model annotates photographs of 640 x 480 pixels, which a loader worker decodes and prepares, in a real
annotation run, to see which share of the time the model is busy.
"""

import argparse
import tempfile
from statistics import median

import numpy as np
import torch
from measure import peak_memory, seconds
from mmengine.device import get_device
from PIL import Image
from prefix_workload import QUESTIONS, PrefixWorkload, prompt_ids, read
from torch import Tensor

from makd.annotation.annotation_runner import AnnotationRunner
from makd.annotation.annotators import Annotator, Answers
from makd.annotation.annotators.prefix_scorer import PrefixScorer
from makd.questions import Question, QuestionSet

IMAGE_TOKEN = 10
IMAGE_TOKENS = 256


def reference_model() -> torch.nn.Module:
    """Return the InternVL with random weights."""
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    vision = dict(
        hidden_size=384,
        intermediate_size=4 * 384,
        num_hidden_layers=6,
        num_attention_heads=6,
        image_size=[448, 448],
        patch_size=[14, 14],
    )
    text = dict(
        model_type='qwen2',
        hidden_size=1024,
        intermediate_size=2816,
        num_hidden_layers=12,
        num_attention_heads=16,
        num_key_value_heads=16,
        vocab_size=92553,
        tie_word_embeddings=False,
    )
    config = InternVLConfig(vision_config=vision, text_config=text, image_token_id=IMAGE_TOKEN)
    return InternVLForConditionalGeneration._from_config(config).eval().to(get_device())


class Preparer:
    """Turns an image into the inputs of the prefix, as a processor would."""

    def __init__(self, ids: Tensor) -> None:
        from transformers import GotOcr2ImageProcessor

        self.ids = ids
        self.image_processor = GotOcr2ImageProcessor(size={'height': 448, 'width': 448}, crop_to_patches=False)

    def __call__(self, image: Image.Image) -> dict[str, Tensor]:
        """Return the inputs."""
        pixels = self.image_processor(image, return_tensors='pt')['pixel_values']
        return {'input_ids': self.ids, 'pixel_values': pixels}


class ReferenceAnnotator(Annotator):
    """The reference model as an annotator, for a real run."""

    identity: dict[str, str] = {}
    preparer: Preparer = None

    def __init__(self, scorer: PrefixScorer, ids: Tensor) -> None:
        super().__init__(QuestionSet(Question(f'q{i}', f'Question {i}?') for i in range(QUESTIONS)))
        self.scorer = scorer
        self.preparer = Preparer(ids)

    def answer(self, inputs: list[dict[str, Tensor]]) -> list[Answers]:
        """Answer all questions about a batch of images."""
        return [Answers(self.scorer.score(image)[0].numpy()) for image in inputs]


def busy(annotator: ReferenceAnnotator, images: int) -> float:
    """Return the share of the time that the model is busy, in a run over photographs with one loader worker."""
    noise = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for index in range(images):
            small = noise.integers(0, 256, (15, 20, 3), dtype=np.uint8)
            photograph = Image.fromarray(small).resize((640, 480), Image.Resampling.BICUBIC)
            photograph.save(f'{folder}/{index:04}.jpg', quality=90)
        runner = AnnotationRunner(
            model=annotator,
            work_dir=f'{folder}/work_dir',
            dataloader=dict(batch_size=1, num_workers=1, dataset=dict(type='makd.AnnotationImages', data_root=folder)),
            writer=dict(type='makd.ShardWriter', out_dir=f'{folder}/aspects'),
            log_level='WARNING',
        )
        return runner.annotate()['busy']


def main() -> None:
    """Print the speed-up, its limit, the numerical difference and the memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--chunk-size', type=int, default=20)
    parser.add_argument('--images', type=int, default=10, help='photographs for the second part')
    args = parser.parse_args()
    torch.manual_seed(0)
    ids = prompt_ids([IMAGE_TOKEN] * IMAGE_TOKENS)
    images = [{'input_ids': ids, 'pixel_values': torch.randn(1, 3, 448, 448)} for _ in range(2)]
    workload = PrefixWorkload(reference_model(), images)
    report = workload.check()
    print(f'self-check: {report}')
    scorer = workload.scorer(report['scoring'], args.chunk_size)
    possible, needed = workload.least_flops(), workload.plain_flops()
    limit = needed / possible

    naive, ours, ratios = [], [], []
    for number in range(args.rounds + 1):
        n = seconds(workload.plain_timed) * QUESTIONS / len(workload.timed)
        o = seconds(lambda: scorer.score(images[0]))
        if number > 0:  # the first round is a warm-up
            naive.append(n)
            ours.append(o)
            ratios.append(n / o)
        print(f'\rround {number} of {args.rounds}', end='', flush=True)

    expected = torch.stack([read(workload.plain(index), None, None)[0] for index in workload.timed]).cpu()
    difference = (scorer.score(images[0])[0, workload.timed] - expected).abs().max()
    longest = workload.timed[-1]
    memory = [peak_memory(lambda: workload.plain(longest)), peak_memory(lambda: scorer.score(images[0]))]
    print(f'\r{QUESTIONS} questions about one image: plain {median(naive):.2f} s, shared prefix {median(ours):.2f} s')
    print(f'speed-up {median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f} in {args.rounds} rounds)')
    reached = median(ratios) / limit
    print(f'limit {limit:.2f} ({needed / 1e12:.2f} / {possible / 1e12:.3f} TFLOP), of which {reached:.1%} is reached')
    print(f'largest difference in a log-probability: {difference:.1e}')
    share = busy(ReferenceAnnotator(scorer, ids), args.images)
    print(f'model busy in a run over {args.images} photographs: {share:.1%}')
    print(f'peak memory in addition to the model: plain {memory[0]:.0f} MB, shared prefix {memory[1]:.0f} MB')


if __name__ == '__main__':
    main()
