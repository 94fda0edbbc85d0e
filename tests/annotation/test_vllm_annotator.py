"""The annotator on a stand-in of vLLM, and, with `make test-vllm`, on vLLM itself."""

import inspect
import os
import sys

import numpy as np
import pytest
from annotation import stand_in_vllm, tiny_models
from PIL import Image, ImageOps
from transformers import AutoProcessor

from makd.annotation.annotators import HFAnnotator, VLLMAnnotator
from makd.errors import ConfigError
from makd.questions import Question, QuestionSet
from makd.registry import MODELS

REAL = bool(os.environ.get('MAKD_TEST_VLLM'))
QUESTIONS = QuestionSet([Question(f'q{index}', text) for index, text in enumerate(tiny_models.QUESTIONS)])


def picture(seed, size=(56, 56)):
    noise = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    return Image.fromarray(noise)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    return tiny_models.save_model('qwen2_5_vl', tmp_path_factory.mktemp('checkpoint'))


@pytest.fixture
def build(checkpoint, monkeypatch):
    monkeypatch.setitem(sys.modules, 'vllm', stand_in_vllm)
    monkeypatch.setattr(stand_in_vllm.LLM, 'faulty', False)
    return lambda **arguments: VLLMAnnotator(checkpoint, QUESTIONS, **arguments)


def expected(annotator, image):
    """Return log p(yes) and log p(no) of each prompt, by hand."""
    (yes,), (no,) = annotator.answer_ids
    return np.array([stand_in_vllm.logprobs_of(image, prompt)[[yes, no]] for prompt in annotator.prompts])


def test_answers_are_those_of_the_two_tokens(build):
    annotator = build()
    assert isinstance(annotator, MODELS.get('makd.VLLMAnnotator'))
    images = [picture(0), picture(1)]
    for answers, image in zip(annotator.answer(images), images):
        np.testing.assert_allclose(answers.logprobs, expected(annotator, image), rtol=1e-6)
        assert answers.logprobs.dtype == np.float32
        assert (answers.reason, answers.bounded) == (None, 0)


def test_the_first_question_about_an_image_goes_before_the_others(build):
    annotator = build()
    annotator.answer([picture(0), picture(1)])
    first, rest = (prompts for prompts, _, _ in annotator.llm.calls)
    assert [prompt['prompt'] for prompt in first] == annotator.prompts[:1] * 2
    assert [prompt['prompt'] for prompt in rest] == annotator.prompts[1:] * 2
    assert not any('cache_salt' in prompt for prompt in first + rest)


def test_one_token_is_generated_greedily_and_the_two_are_looked_up(build):
    annotator = build()
    annotator.answer([picture(0)])
    sampling = annotator.llm.calls[0][1]
    assert (sampling.max_tokens, sampling.temperature) == (1, 0)
    assert sampling.logprob_token_ids == sorted(id_ for ids in annotator.answer_ids for id_ in ids)


def test_the_engine_gets_what_the_config_says(build):
    annotator = build(
        quantization='fp8', tensor_parallel_size=4, processor={'max_pixels': 3136}, engine={'max_model_len': 512}
    )
    arguments = annotator.llm.arguments
    assert (arguments['quantization'], arguments['tensor_parallel_size'], arguments['max_model_len']) == ('fp8', 4, 512)
    assert arguments['mm_processor_kwargs'] == {'max_pixels': 3136}
    assert arguments['limit_mm_per_prompt'] == {'image': 1}
    assert arguments['enable_prefix_caching'] is True
    identity = annotator.identity
    assert (identity['type'], identity['quantization'], identity['dtype']) == ('VLLMAnnotator', 'fp8', 'float32')
    assert '{question}' in identity['prompt']
    assert identity['processor'] == {'max_pixels': 3136}
    assert 'max_model_len' not in str(identity)


def test_case_variants_add_up(build):
    annotator = build(case_variants=True)
    (answers,) = annotator.answer([picture(0)])
    for row, prompt in zip(answers.logprobs, annotator.prompts):
        logprobs = stand_in_vllm.logprobs_of(picture(0), prompt)
        by_hand = [np.log(sum(np.exp(logprobs[id_]) for id_ in ids)) for ids in annotator.answer_ids]
        np.testing.assert_allclose(row, by_hand, rtol=1e-6)
    assert min(map(len, annotator.answer_ids)) > 1


def test_the_self_check_compares_with_and_without_caching(build):
    annotator = build()
    report = annotator.start(picture(0))
    assert (report['scoring'], report['error'], report['vllm']) == ('prefix caching', 0.0, '0.33.0')
    salts = [prompt.get('cache_salt') for prompts, _, _ in annotator.llm.calls for prompt in prompts]
    salted = [salt for salt in salts if salt is not None]
    assert len(salted) == len(set(salted)) > 6
    asked_about = {np.asarray(p['multi_modal_data']['image']).sum() for ps, _, _ in annotator.llm.calls for p in ps}
    assert asked_about == {np.asarray(picture(0)).sum(), np.asarray(ImageOps.invert(picture(0))).sum()}


def test_a_wrong_cache_is_not_used(build, monkeypatch):
    annotator = build()
    monkeypatch.setattr(stand_in_vllm.LLM, 'faulty', True)
    report = annotator.start(picture(0))
    assert report['scoring'] == 'naive'
    assert report['error'] > report['tolerance']
    for answers, image in zip(annotator.answer([picture(1), picture(2)]), (picture(1), picture(2))):
        np.testing.assert_allclose(answers.logprobs, expected(annotator, image), rtol=1e-6)
    with pytest.raises(ConfigError, match=r"with prefix caching differ .*on_failed_check='naive'"):
        build(on_failed_check='stop').start(picture(0))


def test_a_model_that_does_not_see_is_refused(build, monkeypatch):
    blind = stand_in_vllm.logprobs_of
    monkeypatch.setattr(stand_in_vllm, 'logprobs_of', lambda image, prompt: blind(picture(9), prompt))
    with pytest.raises(ConfigError, match='does not see'):
        build().start(picture(0))


def test_an_image_that_does_not_fit_has_a_reason(build, monkeypatch):
    monkeypatch.setattr(stand_in_vllm.LLM, 'longest', 60)
    annotator = build()
    fits, large = annotator.answer([picture(0), picture(1, (90, 20))])
    np.testing.assert_allclose(fits.logprobs, expected(annotator, picture(0)), rtol=1e-6)
    assert np.isnan(large.logprobs).all()
    assert large.reason == 'The decoder prompt is longer than the maximum model length'


def test_vllm_that_is_absent_or_too_old(build, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(stand_in_vllm, 'SamplingParams', lambda max_tokens: object())
        patch.setattr(stand_in_vllm, '__version__', '0.19.1')
        with pytest.raises(ConfigError, match=r'vLLM 0\.19\.1 cannot return .*0\.20 or later'):
            build()
    monkeypatch.setitem(sys.modules, 'vllm', None)
    with pytest.raises(ConfigError, match=r'needs vLLM 0\.20 or later.*pip install vllm'):
        build()


def test_what_vllm_cannot_load_is_said(build, monkeypatch):
    def fail(llm, **arguments):
        raise ValueError('Model architectures [X] are not supported')

    monkeypatch.setattr(stand_in_vllm.LLM, '__init__', fail)
    with pytest.raises(ConfigError, match=r'vLLM 0\.33\.0 cannot load model=.*architectures \[X\]'):
        build()


def test_several_ranks_are_refused(build, monkeypatch):
    monkeypatch.setenv('WORLD_SIZE', '2')
    with pytest.raises(ConfigError, match=r'WORLD_SIZE=2 ranks.*--launcher ray'):
        build()


real = pytest.mark.skipif(not REAL, reason='needs vLLM in an environment of its own: make test-vllm')


@real
def test_the_stand_in_has_the_signatures_of_vllm():
    import vllm

    ours, theirs = (inspect.signature(of.LLM.generate).parameters for of in (stand_in_vllm, vllm))
    assert {name: parameter.kind for name, parameter in ours.items()}.items() <= {
        name: parameter.kind for name, parameter in theirs.items()
    }.items()
    parameters = inspect.signature(vllm.SamplingParams).parameters
    assert set(inspect.signature(stand_in_vllm.SamplingParams).parameters) <= set(parameters)


def wide():
    """Qwen2.5-VL with heads of 64 channels: vLLM has no attention for the narrow ones of other tests."""
    config, processor = tiny_models.qwen2_5_vl()
    text = config.text_config
    text.hidden_size, text.num_attention_heads, text.num_key_value_heads, text.head_dim = 128, 2, 1, 64
    text.rope_parameters['mrope_section'] = [8, 12, 12]
    config.vision_config.out_hidden_size = 128
    return config, processor


@real
def test_vllm_answers_as_transformers(tmp_path):
    folder = tiny_models.save_model('wide', tmp_path, families={'wide': wide})
    # Prefixes are shared in whole blocks, of 32 tokens or more on a CPU: one has to end in the middle of the image.
    tokenizer = AutoProcessor.from_pretrained(folder).tokenizer
    before = '<|im_start|>system\n{}<|im_end|>\n<|im_start|>user\n<|vision_start|>'
    texts = ('Look closely at the picture.' + ' Yes' * count for count in range(32))
    long = next(text for text in texts if len(tokenizer(before.format(text)).input_ids) % 32 == 24)
    engine = dict(max_model_len=512, enforce_eager=True, max_num_seqs=8, max_num_batched_tokens=512, block_size=32)
    annotator = VLLMAnnotator(folder, QUESTIONS, dtype='float32', system_prompt=long, engine=engine)
    image_id = tokenizer.convert_tokens_to_ids('<|image_pad|>')
    generate, cached = annotator.llm.generate, []

    def counted(*arguments, **options):
        outputs = generate(*arguments, **options)
        cached.extend(output.num_cached_tokens > output.prompt_token_ids.index(image_id) for output in outputs)
        return outputs

    annotator.llm.generate = counted
    report = annotator.start(picture(0))
    assert report['scoring'] == 'prefix caching', report
    plain = HFAnnotator(folder, QUESTIONS, dtype='float32', system_prompt=long)
    plain.start(picture(0))
    images = [picture(seed) for seed in (1, 2, 3)]
    cached.clear()
    for ours, theirs in zip(annotator.answer(images), plain.answer([plain.preparer(image) for image in images])):
        np.testing.assert_allclose(ours.logprobs, theirs.logprobs, atol=1e-3)
    assert cached == [False] * len(images) + [True] * (len(cached) - len(images))  # the image is in the cache
