"""The bundled MLLM, data/teachers/tiny-mllm-emoji."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

import projects.tiny_mllm.hybrid_vision  # noqa: F401, registers the vision tower with transformers
from makd.questions import QuestionSet
from projects.tiny_mllm.pictures import held_out_emoji

FOLDER = Path('data/teachers/tiny-mllm-emoji')
pytestmark = pytest.mark.skipif(not (FOLDER / 'model.safetensors').is_file(), reason='projects/tiny_mllm/train.py')


@pytest.fixture(scope='module')
def annotator():
    return AutoModelForImageTextToText.from_pretrained(FOLDER).eval(), AutoProcessor.from_pretrained(FOLDER)


def prompt(processor, question):
    content = [{'type': 'text', 'text': question}, {'type': 'image'}]
    return processor.apply_chat_template([{'role': 'user', 'content': content}], add_generation_prompt=True)


def answers(annotator, path, questions):
    """Return p(yes) and p(no) of each question, through the public interface, one question after another."""
    model, processor = annotator
    ids = processor.tokenizer.convert_tokens_to_ids(['Yes', 'No'])
    picture = Image.open(f'data/emoji/images/{path}').convert('RGBA')
    flat = Image.new('RGB', picture.size, (124, 117, 104))
    flat.paste(picture, mask=picture.getchannel('A'))
    rows = []
    for question in questions:
        inputs = processor(images=[flat], text=[prompt(processor, question)], return_tensors='pt')
        with torch.no_grad():
            rows.append(model(**inputs).logits[0, -1].softmax(-1)[ids])
    return torch.stack(rows).numpy()


def test_weights_are_small_and_computed_with_in_single_precision(annotator):
    assert (FOLDER / 'model.safetensors').stat().st_size < 20e6
    assert {parameter.dtype for parameter in annotator[0].parameters()} == {torch.float32}


def test_the_image_comes_first_and_has_a_token_for_each_patch(annotator):
    model, processor = annotator
    text = prompt(processor, 'Is it a bird?')
    assert text == '<user><image>Is it a bird?<assistant>'
    for size in ((64, 64), (300, 200)):
        inputs = processor(images=[Image.new('RGB', size)], text=[text], return_tensors='pt')
        assert inputs['pixel_values'].shape == (1, 3, 160, 160)
        assert (inputs['input_ids'] == model.config.image_token_index).sum() == 25 == model.config.image_seq_length
        assert set(inputs) == {'input_ids', 'attention_mask', 'pixel_values'}


def test_yes_and_no_are_one_token_each_after_every_question(annotator):
    tokenizer = annotator[1].tokenizer
    for question in QuestionSet.load('data/emoji/aspects/questions.json').texts:
        for suffix in ('', ' Answer with yes or no.'):
            text = prompt(annotator[1], question + suffix)
            before = tokenizer(text)['input_ids']
            for answer in ('Yes', 'No'):
                after = tokenizer(text + answer)['input_ids']
                assert after[:-1] == before
                assert tokenizer.convert_ids_to_tokens(after[-1]) == answer


def test_any_text_can_be_read(annotator):
    tokenizer = annotator[1].tokenizer
    text = 'Ist es ein Wolpertinger? 🦄\n'
    assert tokenizer.decode(tokenizer(text)['input_ids']) == text


@pytest.mark.slow
def test_it_answers_about_new_pictures_in_new_styles(annotator):
    """Emoji that it never saw, by artists that it never saw; chance level is a third."""
    pytest.importorskip('mmpretrain')  # its dataset knows them; not installed with transformers 5
    asked = {
        'animal-mammal': 'Is it an animal?',
        'food-fruit': 'Is it something to eat?',
        'transport-ground': 'Is it a vehicle?',
    }
    held_out, images = held_out_emoji(Path('data/emoji')), Path('data/emoji/images')
    new = [
        (path.relative_to(images), folder)
        for folder in asked
        for style in ('twemoji', 'openmoji')
        for path in sorted(images.glob(f'{style}/{folder}/*.png'))
        if path.stem in held_out
    ][::2]
    assert len(new) == 27
    for suffix in ('', ' Answer with yes or no.'):
        pairs = [answers(annotator, path, [question + suffix for question in asked.values()]) for path, _ in new]
        assert np.sum(pairs, axis=2).min() > 0.95
        best = [list(asked)[pair[:, 0].argmax()] for pair in pairs]
        assert np.mean([found == folder for found, (_, folder) in zip(best, new)]) > 0.8


def test_the_answer_depends_on_the_picture(annotator):
    paths = ('twemoji/food-fruit/1f34e.png', 'twemoji/animal-bird/1f426.png', 'twemoji/tool/1f528.png')
    yes = np.stack([answers(annotator, path, ['Is it a tool?', 'Is it an animal?'])[:, 0] for path in paths])
    assert yes.argmax(0).tolist() == [2, 1]


def test_no_held_out_emoji_and_no_test_style_was_trained_on():
    pytest.importorskip('mmpretrain')
    lessons = (FOLDER / 'lessons.txt').read_text('utf-8').splitlines()
    assert len(lessons) == len(set(lessons)) > 5000
    assert {lesson.split('/')[0] for lesson in lessons} & {'noto', 'blob', 'fluent', 'twemoji', 'openmoji'} == {
        'noto',
        'blob',
        'fluent',
    }
    held_out = held_out_emoji(Path('data/emoji'))
    assert held_out.isdisjoint(lesson.split('/')[-1] for lesson in lessons)


def test_card_and_licences_are_there():
    card = (FOLDER / 'README.md').read_text('utf-8')
    for source in (
        'openclipart',
        'emoji-datasource-google',
        'fluent-emoji-3d',
        'efficientnet-lite0',
        'CLDR',
        'CC BY-SA',
    ):
        assert source in card
