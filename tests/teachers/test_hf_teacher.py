"""The fast way gives what one plain forward per question gives, on every family of models."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from makd.questions import Question, QuestionSet
from makd.teachers import HFAspectTeacher

_spec = importlib.util.spec_from_file_location('tiny_models', Path(__file__).with_name('tiny_models.py'))
tiny_models = sys.modules.setdefault('tiny_models', importlib.util.module_from_spec(_spec))
_spec.loader.exec_module(tiny_models)

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
def reference(teacher, image):
    """One forward a question, of what the processor makes of the whole prompt: (Q, 2)."""
    rows = []
    for question in teacher.questions:
        turns = [{'role': 'user', 'content': [{'type': 'image'}, {'type': 'text', 'text': question.text}]}]
        if teacher.system_prompt:
            turns.insert(0, {'role': 'system', 'content': [{'type': 'text', 'text': teacher.system_prompt}]})
        prompt = teacher.processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        inputs = teacher.processor(text=[prompt], images=[image], return_tensors='pt')
        logprobs = teacher.model(**inputs).logits[0, -1].double().log_softmax(-1)
        tokenizer = teacher.processor.tokenizer
        rows.append([logprobs[tokenizer.convert_tokens_to_ids(word)] for word in ('Yes', 'No')])
    return np.array(rows)


@pytest.mark.parametrize('system_prompt', [None, LONG], ids=['short', 'long'])
@pytest.mark.parametrize('family', tiny_models.FAMILIES)
def test_equals_one_forward_a_question(checkpoint, family, system_prompt):
    teacher = HFAspectTeacher(checkpoint(family), QUESTIONS, system_prompt=system_prompt, chunk_size=3)
    images = [picture((60, 60), 0), picture((64, 30), 1), picture((60, 60), 2)]
    inputs = [teacher.preparer(image) for image in images]
    report = teacher.start(inputs[0])
    assert report['scoring'] == 'prefix', report
    answers = teacher.answer(inputs)
    for image, answer in zip(images, answers):
        expected = reference(teacher, image)
        np.testing.assert_allclose(answer.logprobs, expected, atol=1e-4)
    assert np.ptp(np.stack([a.logprobs for a in answers])) > 0.1
