"""Annotation runs that pay per token: what is asked, kept and estimated."""

import json

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image
from scripted_decisions import REFUSAL, decision, image_of, names
from scripted_server import Reply, ScriptedServer

from makd.annotation.annotation_runner import AnnotationRunner
from makd.errors import AnnotatorStopped
from makd.questions import Question, QuestionSet
from makd.targets import AspectTargets

NUM_IMAGES = 10


def answer(request):
    """P(yes) is the brightness; about black images the model says nothing."""
    value = min(image_of(request).getpixel((0, 0))[0] / 100, 1.0)
    return decision([(name, value or REFUSAL) for name in names(request)], tokens=500)


@pytest.fixture
def service(tmp_path, waits, monkeypatch):
    monkeypatch.setattr(AnnotationRunner, '_log_env', lambda self, env_cfg: None)  # asks the compiler for its version
    monkeypatch.setattr('makd.annotation.annotation_runner.FEWEST_ESTIMATED', 1)
    QuestionSet([Question('a', 'A?'), Question('b', 'B?')]).save(tmp_path / 'questions.json')
    (tmp_path / 'images').mkdir()
    for index in range(NUM_IMAGES):
        Image.new('RGB', (2, 2), (index * 10, 0, 0)).save(tmp_path / 'images' / f'{index}.png')
    with ScriptedServer(answer) as server:
        yield server


@pytest.fixture
def build(tmp_path, service):
    """Return a function that builds a run in shards of 4 and batches of 2."""

    def runner(**client):
        cfg = Config.fromfile('configs/_base_/annotate.py')
        cfg.merge_from_dict(
            dict(
                model=dict(
                    type='makd.DecisionsAnnotator',
                    client=dict(model='m', base_url=service.url, price_per_million_tokens=2.0, **client),
                    questions=str(tmp_path / 'questions.json'),
                    image_format='png',
                    concurrency=1,
                ),
                dataloader=dict(
                    batch_size=2, dataset=dict(type='makd.AnnotationImages', data_root=str(tmp_path / 'images'))
                ),
                writer=dict(out_dir=str(tmp_path / 'targets'), shard_size=4),
                work_dir=str(tmp_path / 'work_dir'),
                log_level='ERROR',
            )
        )
        return AnnotationRunner.from_cfg(cfg)

    return runner


def asked_about(service, start=0):
    return sorted(image_of(request).getpixel((0, 0))[0] // 10 for request in service.requests[start:])


def test_probabilities_without_label_mass(build, service, tmp_path):
    figures = build().annotate()
    targets = AspectTargets.open(tmp_path / 'targets')
    expected = np.arange(NUM_IMAGES)[:, None] / 10 * [1, 1]
    expected[0] = np.nan
    np.testing.assert_allclose(np.stack([targets.probability(key) for key in targets.keys]), expected, atol=1e-6)
    assert not targets.has_label_mass
    assert np.isnan(figures['label_mass'])
    assert targets.failures == {'0.png': 'the model refused to answer'}
    # The first image is refused, so a plain one takes its place; three images are asked about for the estimate.
    assert len(service.requests) == 2 + 2 + 3 + NUM_IMAGES
    assert targets.meta['self_check']['largest_difference_when_asked_twice'] == 0


def test_a_refused_image_is_not_asked_about_again(build, service, tmp_path):
    build().annotate()
    before = len(service.requests)
    assert build().annotate()['failed'] == 1
    assert len(service.requests) == before
    assert not (tmp_path / 'targets.partial').exists()


def test_the_budget_keeps_what_was_paid_for(build, service, tmp_path):
    # 500 tokens are $0.001, and 7 requests come first. The 14th is the last, and the first of the fourth batch.
    with pytest.raises(AnnotatorStopped, match=r'(?s)max_dollars=0.0139: .*All answers so far are kept'):
        build(max_dollars=0.0139).annotate()
    assert asked_about(service, 7) == [0, 1, 2, 3, 4, 5, 6]
    before = len(service.requests)
    build().annotate()
    assert asked_about(service, before + 7) == [7, 8, 9]
    targets = AspectTargets.open(tmp_path / 'targets')
    assert targets.failures.keys() == {'0.png'}
    np.testing.assert_allclose(targets.probability('6.png'), 0.6, atol=1e-6)


def test_an_estimate_writes_nothing(build, service, tmp_path):
    text = build().estimate()
    assert text.startswith('10 images will take about 10 requests, 5,000 tokens, $0.01, estimated from 3')
    assert asked_about(service, 4) == [0, 5, 9]
    assert not list(tmp_path.glob('targets*'))


def test_an_image_that_the_service_does_not_take_makes_the_others_no_cheaper(build, service):
    def but_the_last(request):
        black = image_of(request).getpixel((0, 0))[0] == 90
        return Reply({'error': {'message': 'not this one'}}, 400) if black else answer(request)

    service.answer = but_the_last
    assert '7,500 tokens' not in (text := build().estimate())
    assert '5,000 tokens' in text


def test_an_estimate_beyond_the_budget_says_where_it_ends(build):
    assert 'The budget of a process, max_dollars=0.008, ends after about 8' in build(max_dollars=0.008).estimate()


def test_prices_do_not_change_the_folder(build, tmp_path):
    build().annotate()
    meta = json.loads((tmp_path / 'targets' / 'meta.json').read_text())
    assert 'dollars' not in str(meta)
    assert 'price' not in str(meta)


def test_a_few_images_are_not_worth_an_estimate(build, service, monkeypatch):
    monkeypatch.setattr('makd.annotation.annotation_runner.FEWEST_ESTIMATED', NUM_IMAGES + 1)
    build().annotate()
    assert len(service.requests) == 2 + 2 + NUM_IMAGES


def test_a_crash_in_the_middle_of_a_shard_keeps_what_was_paid_for(build, service):
    runner = build()
    ask, calls = runner.model.answer, []

    def crash(inputs):
        calls.append(len(inputs))
        if len(calls) == 6:  # two before the run, one for the estimate, and the third batch of two
            raise RuntimeError('a loader worker was killed')
        return ask(inputs)

    runner.model.answer = crash
    with pytest.raises(RuntimeError, match='worker was killed'):
        runner.annotate()
    before = len(service.requests)
    build().annotate()
    assert asked_about(service, before + 7) == [4, 5, 6, 7, 8, 9]


def test_another_model_behind_the_same_name_is_warned_about(build, service, monkeypatch):
    with pytest.raises(AnnotatorStopped):
        build(max_dollars=0.0139).annotate()
    service.answer = lambda request: Reply({**answer(request).body, 'model': 'm-2027'})
    warnings = []
    runner = build()
    monkeypatch.setattr(runner.logger, 'warning', warnings.append)
    runner.annotate()
    assert warnings == ["The first shards were answered by ['gpt-6-luna-2026-10-06'], and now answers ['m-2027']."]
