"""The benchmark for GPUs, on the CPU: its rows, its budget, what fails in it, and what it concludes."""

import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'benchmarks'))


@pytest.mark.slow
def test_a_tiny_run_prints_every_row_and_its_conclusion(monkeypatch, capsys):
    import gpu

    monkeypatch.setattr(sys, 'argv', ['gpu.py', '--tiny', '--rounds', '1'])
    gpu.main()
    out = capsys.readouterr().out
    rows = [line.split(' | ') for line in out.splitlines() if line.startswith('| ')][2:]
    assert [row[2] for row in rows] == ['naive', 'copied', 'shared'] * 4 + ['eager', 'channels_last']
    assert all(float(row[3].split()[0]) > 0 for row in rows), out
    assert out.count("{'scoring': 'shared'") == 4, out
    assert 'Below 1.15 for every input on a GPU, remove shared_prefix_attention.py: nothing is decided' in out


def cell(name, work, what='input'):
    from cells import Cell

    return Cell(('model', what, name), lambda: work, 1)


def work():
    return torch.ones(1000).sum()


def run_out_of_memory():
    raise torch.OutOfMemoryError('CUDA out of memory')


def fail():
    raise ValueError('a | in its message\nand more')


def test_what_fails_says_so_and_the_others_go_on(capsys):
    from cells import Budget, measure

    measure([cell('a', work), cell('b', run_out_of_memory), cell('c', fail), cell('d', work)], 2, Budget(1))
    a, b, c, d = (row.split(' | ') for row in capsys.readouterr().out.splitlines())
    assert float(a[3].split()[0]) > 0
    assert b[3] == 'out of memory'
    assert c[3] == 'failed: ValueError: a / in its message'
    assert float(d[3].split()[0]) > 0


def test_what_the_time_does_not_allow_is_skipped(capsys):
    from cells import Budget, measure

    measure([cell('a', fail)], 2, Budget(0))
    assert 'skipped: no time is left' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('seconds', 'on_gpu', 'decision'),
    [([1.0, 1.1], True, 'remove it'), ([1.0, 1.2], True, 'keep it'), ([1.0, 1.2], False, 'nothing is decided')],
)
def test_the_shared_prefix_has_to_earn_its_place(seconds, on_gpu, decision):
    import gpu

    groups = []
    for copied in seconds:
        group = [cell(name, list, f'{copied} s') for name in ('naive', 'copied', 'shared')]
        for of_method, duration in zip(group, (9.0, copied, 1.0)):
            of_method.times = [duration] * 3
        groups.append(group)
    assert decision in gpu.verdict(groups, on_gpu)
    assert f'shared / copied: {seconds[0]:.2f} (model {seconds[0]} s), ' in gpu.verdict(groups, on_gpu)
    groups[0][2].problem = 'out of memory'
    assert 'nothing is decided' in gpu.verdict(groups, on_gpu)


def test_the_shapes_are_the_true_ones():
    from mllm_shapes import SHAPES
    from transformers import AutoModelForImageTextToText

    counts = {}
    for shape in SHAPES:
        with torch.device('meta'):
            model = AutoModelForImageTextToText.from_config(shape.config(False), dtype=torch.bfloat16)
        counts[shape.name] = sum(weight.numel() for weight in model.parameters())
    # Qwen2.5-7B, 7,615,616,512, and a vision tower of 676,550,144: the sizes of the published checkpoint.
    assert counts['Qwen2.5-VL-7B-Instruct'] == 7_615_616_512 + 676_550_144
    # Qwen2.5-7B with 390 tokens less, InternViT-300M, and a projector of two layers after a pixel shuffle.
    language = 7_615_616_512 - 2 * 390 * 3584
    projector = 2 * 4096 + 4096 * 3584 + 3584 + 3584 * 3584 + 3584
    assert 300e6 < counts['InternVL3-8B-hf'] - language - projector < 310e6
