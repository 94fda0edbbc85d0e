"""The scorer gives the same as one plain forward per question, on every family of models."""

import json
import pickle
import shutil

import numpy as np
import pytest
import torch
from annotation import tiny_models
from PIL import Image
from safetensors.torch import load_file

from makd.annotation.annotators import HFAnnotator, HFClassAnnotator
from makd.errors import ConfigError
from makd.questions import Question, QuestionSet

QUESTIONS = QuestionSet(Question(f'q{i}', text) for i, text in enumerate(tiny_models.QUESTIONS))
LONG = 'Look at the picture, and answer what you are asked about it, with one word. ' * 3


def picture(size, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    return Image.fromarray(noise)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    made = {}

    def make(family):
        if family not in made:
            made[family] = tiny_models.save_model(family, tmp_path_factory.mktemp(family))
        return made[family]

    return make


@torch.no_grad()
def reference(annotator, image):
    """Return (Q, 2) from one forward per question, of the processor's output for the whole prompt."""
    rows = []
    for question in annotator.questions:
        turns = [{'role': 'user', 'content': [{'type': 'image'}, {'type': 'text', 'text': question.text}]}]
        if annotator.system_prompt:
            turns.insert(0, {'role': 'system', 'content': [{'type': 'text', 'text': annotator.system_prompt}]})
        prompt = annotator.processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        inputs = annotator.processor(text=[prompt], images=[image], return_tensors='pt')
        logprobs = annotator.model(**inputs).logits[0, -1].double().log_softmax(-1)
        tokenizer = annotator.processor.tokenizer
        rows.append([logprobs[tokenizer.convert_tokens_to_ids(word)] for word in ('Yes', 'No')])
    return np.array(rows)


@pytest.mark.parametrize('system_prompt', [None, LONG], ids=['short', 'long'])
@pytest.mark.parametrize('family', tiny_models.FAMILIES)
def test_equals_one_forward_per_question(checkpoint, family, system_prompt):
    annotator = HFAnnotator(checkpoint(family), QUESTIONS, system_prompt=system_prompt, chunk_size=3)
    images = [picture((60, 60), 0), picture((64, 30), 1), picture((60, 60), 2)]
    report = annotator.start(images[0])
    assert report['scoring'] == ('copied' if family == 'gemma3' else 'shared'), report
    answers = annotator.answer([annotator.preparer(image) for image in images])
    for image, answer in zip(images, answers):
        expected = reference(annotator, image)
        np.testing.assert_allclose(answer.logprobs, expected, atol=1e-4)
    assert np.abs(answers[0].logprobs - answers[2].logprobs).max() > 1e-2, 'the image matters'


def test_a_self_check_passes_in_half_precision(checkpoint):
    annotator = HFAnnotator(checkpoint('internvl'), QUESTIONS, dtype='bfloat16')
    assert annotator.start(picture((60, 60), 0))['scoring'] == 'shared'
    assert annotator.identity['dtype'] == 'bfloat16'


def short_by_one(scorer):
    whole = scorer._prefill
    # Without the first token of all.
    scorer._prefill = lambda inputs: whole(
        {k: v[:, 1:] if v.shape == inputs['input_ids'].shape else v for k, v in inputs.items()}
    )


def shifted_by_one(scorer):
    whole = scorer._prefill

    def prefill(inputs):
        cache = whole(inputs)
        scorer._with_rope_deltas.rope_deltas += 1
        return cache

    scorer._prefill = prefill


@pytest.mark.parametrize(
    ('family', 'fault'), [('internvl', short_by_one), ('gemma3', short_by_one), ('qwen2_5_vl', shifted_by_one)]
)
def test_a_self_check_finds_a_wrong_prefix(checkpoint, family, fault):
    annotator = HFAnnotator(checkpoint(family), QUESTIONS)
    image = picture((60, 60), 0)
    fault(annotator.scorer)
    annotator.on_failed_check = 'stop'
    with pytest.raises(ConfigError, match="on_failed_check='naive'"):
        annotator.start(image)
    annotator.on_failed_check = 'naive'
    report = annotator.start(image)
    assert report['scoring'] == 'naive'
    assert report['error_of_copied'] > report['tolerance']
    (answer,) = annotator.answer([annotator.preparer(image)])
    np.testing.assert_allclose(answer.logprobs, reference(annotator, image), atol=1e-4)


def test_an_image_after_the_questions_is_scored_naively(checkpoint):
    annotator = HFAnnotator(checkpoint('internvl'), QUESTIONS)
    # Text first, image last, whatever the order in the turn.
    template = annotator.processor.chat_template
    annotator.processor.chat_template = template.replace(
        "{% for c in m['content'] %}", "{% for c in m['content']|sort(attribute='type', reverse=True) %}"
    )
    prompts = [annotator.chat(text) for text in QUESTIONS.texts]
    assert prompts[0].index('bird') < prompts[0].index('<IMG_CONTEXT>')
    annotator._set_up(annotator._read, prompts)
    images = [picture((60, 60), seed) for seed in range(2)]
    assert annotator.start(images[0])['scoring'] == 'naive'
    inputs = [annotator.preparer(image) for image in images]
    for image, answer in zip(images, annotator.answer(inputs)):
        np.testing.assert_allclose(answer.logprobs, reference(annotator, image), atol=1e-4)


def test_chunks_and_batches_shrink_with_the_memory(checkpoint):
    annotator = HFAnnotator(checkpoint('llava'), QUESTIONS, chunk_size=8)
    annotator.start(picture((60, 60), 0))
    inputs = [annotator.preparer(picture((60, 60), seed)) for seed in range(3)]
    expected = [answer.logprobs for answer in annotator.answer(inputs)]
    fits, forward, tokens = 100, annotator.model.forward, []

    def limited(**kwargs):
        tokens.append(kwargs['input_ids'].numel())
        if tokens[-1] > fits:
            raise torch.OutOfMemoryError
        return forward(**kwargs)

    annotator.model.forward = limited
    try:
        answers = annotator.answer(inputs)
        assert all(answer.reason is None for answer in answers)
        np.testing.assert_allclose([answer.logprobs for answer in answers], expected, atol=1e-5)
        tokens.clear()
        annotator.answer(inputs[:1])
        assert max(tokens) <= fits, 'remembered'
        fits = 0
        (answer,) = annotator.answer(inputs[:1])
    finally:
        del annotator.model.forward
    assert np.isnan(answer.logprobs).all()
    assert 'memory' in answer.reason


def test_case_variants_add_up(checkpoint):
    folder = checkpoint('llava')
    image = picture((60, 60), 0)
    annotator = HFAnnotator(folder, QUESTIONS, case_variants=True)
    annotator.start(image)
    (answer,) = annotator.answer([annotator.preparer(image)])
    tokenizer, vocabulary = annotator.processor.tokenizer, annotator.processor.tokenizer.get_vocab()
    prompt = annotator.chat(QUESTIONS[0].text)
    with torch.no_grad():
        logits = annotator.model(**annotator._whole.whole(prompt, image)).logits[0, -1].double()
    for column, words in enumerate(
        [('Yes', 'yes', 'YES', 'ĠYes', 'Ġyes', 'ĠYES'), ('No', 'no', 'NO', 'ĠNo', 'Ġno', 'ĠNO')]
    ):
        ids = [vocabulary[word] for word in words if word in vocabulary]
        assert len(ids) >= 4
        assert sorted(annotator.answer_ids[column]) == sorted(ids)
        assert tokenizer.convert_ids_to_tokens(annotator.answer_ids[column][0]) == words[0]
        expected = logits.softmax(-1)[ids].sum().log()
        assert answer.logprobs[0, column] == pytest.approx(float(expected), abs=1e-4)


def test_class_names_are_scored_whole(checkpoint):
    names = ['bird', 'car_side', 'convertible roof', 'water']
    annotator = HFClassAnnotator(checkpoint('internvl'), names, chunk_size=3)
    assert annotator.questions.ids == tuple(names)
    assert annotator.questions.texts[1] == 'car side'
    images = [picture((60, 60), 0), picture((50, 30), 1)]
    inputs = [annotator.preparer(image) for image in images]
    assert annotator.start(images[0])['scoring'] == 'shared'
    tokenizer = annotator.processor.tokenizer
    for image, answer in zip(images, annotator.answer(inputs)):
        scores = []
        for text in annotator.questions.texts:
            prompt = annotator.chat('What is in the picture? Answer with its name only.')
            whole = annotator._whole.whole(prompt + text + tokenizer.eos_token, image)
            with torch.no_grad():
                logprobs = annotator.model(**whole).logits[0].double().log_softmax(-1)
            start = len(annotator._whole.ids(prompt, image))
            ids = whole['input_ids'][0]
            scores.append(sum(logprobs[i - 1, ids[i]] for i in range(start, len(ids))))
        p = torch.stack(scores).softmax(0).numpy()
        np.testing.assert_allclose(answer.logprobs, np.stack([np.log(p), np.log1p(-p)], axis=1), atol=1e-4)


def test_what_cannot_be_loaded_is_said(checkpoint, tmp_path):
    with pytest.raises(ConfigError, match='no/such/model'):
        HFAnnotator('no/such/model', QUESTIONS)
    with pytest.raises(ConfigError, match='dtype'):
        HFAnnotator(checkpoint('llava'), QUESTIONS, dtype='int8')
    with pytest.raises(ConfigError, match='prompt'):
        HFAnnotator(checkpoint('llava'), QUESTIONS, prompt='yes or no')
    with pytest.raises(ConfigError, match='not one token'):
        HFAnnotator(checkpoint('llava'), QUESTIONS, answers=('Affirmative', 'Negative'))


def test_a_pickled_checkpoint_is_refused(checkpoint, tmp_path):
    folder = tmp_path / 'pickled'
    shutil.copytree(checkpoint('llava'), folder)
    weights = folder / 'model.safetensors'
    torch.save(load_file(weights), folder / 'pytorch_model.bin')
    weights.unlink()
    with pytest.raises(ConfigError, match='safetensors'):
        HFAnnotator(str(folder), QUESTIONS)


def test_identity_tells_weights_and_prompts_apart(checkpoint, tmp_path):
    folder = checkpoint('llava')
    annotator = HFAnnotator(folder, QUESTIONS)
    assert HFAnnotator(folder, QUESTIONS).identity == annotator.identity
    assert json.loads(json.dumps(annotator.identity)) == annotator.identity
    other = tiny_models.save_model('llava', tmp_path / 'other', seed=1)
    assert HFAnnotator(other, QUESTIONS).identity['weights'] != annotator.identity['weights']
    assert HFAnnotator(folder, QUESTIONS, prompt='yes_no').identity['prompt'] != annotator.identity['prompt']
    assert {'dtype', 'answers', 'processor', 'attention'} <= annotator.identity.keys()


def test_the_preparer_is_picklable(checkpoint):
    annotator = HFAnnotator(checkpoint('internvl'), QUESTIONS)
    copied = pickle.loads(pickle.dumps(annotator.preparer))
    image = picture((60, 60), 0)
    for a, b in zip(copied(image), annotator.preparer(image)):
        assert all(torch.equal(a[key], b[key]) for key in a)
