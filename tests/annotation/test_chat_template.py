"""A prompt that lacks a part, or holds one literally, is refused before the model is asked."""

import json
from pathlib import Path

import pytest
from annotation import tiny_models
from annotation.test_hf_annotator import QUESTIONS, picture

from makd.annotation.annotators import HFAnnotator, HFClassAnnotator
from makd.errors import ConfigError, QuestionsError
from makd.questions import Question, QuestionSet

TEMPLATE = tiny_models.CHAT.replace('IMAGE', '<image>')
TEXT_ONLY = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
WITHOUT_SYSTEM = '{% for m in messages %}', "{% for m in messages if m['role'] != 'system' %}"


@pytest.fixture(scope='module')
def llava(tmp_path_factory):
    return tiny_models.save_model('llava', tmp_path_factory.mktemp('llava'))


@pytest.fixture
def annotator_with(llava, tmp_path):
    """Return a function that gives the checkpoint another chat template and loads it."""

    def load(template, questions=QUESTIONS, **arguments):
        for name in ('config.json', 'model.safetensors', 'generation_config.json'):
            (tmp_path / name).symlink_to(f'{llava}/{name}')
        _, processor = tiny_models.llava()
        processor.chat_template = template
        processor.save_pretrained(tmp_path)
        return HFAnnotator(str(tmp_path), questions, **arguments)

    return load


@pytest.mark.parametrize(
    ('template', 'message'),
    [
        (TEXT_ONLY, r'prints the list of image and text literally.*It made the prompt'),
        (TEXT_ONLY.replace("m['content'] }}", "m['content']|tojson }}"), 'literally'),
        (TEMPLATE.replace('<image>', ''), "leaves out the image.*It made the prompt '<|im_start|>user"),
        (TEMPLATE.replace("{{ c['text'] }}", ''), r"leaves out the question, 'Is it a bird\?'"),
        (TEMPLATE.replace("{{ c['text'] }}", "{{ c['text'][:9] }}"), 'leaves out the question'),
        (TEMPLATE.replace("c['text']", "raise_exception('no vision')"), 'cannot make a prompt .*no vision'),
        (TEMPLATE.replace("c['text']", "c['text'] + 1"), 'cannot make a prompt .*TypeError'),
        (TEMPLATE.replace('{% endfor %}', '{% endfo %}'), 'cannot make a prompt .*TemplateSyntaxError'),
    ],
)
def test_a_template_that_distorts_the_prompt_is_refused(annotator_with, template, message):
    with pytest.raises(ConfigError, match=message):
        annotator_with(template)


def test_a_system_prompt_must_be_in_the_prompt(annotator_with):
    with pytest.raises(ConfigError, match=r"leaves out system_prompt='Look closely\."):
        annotator_with(TEMPLATE.replace(*WITHOUT_SYSTEM), system_prompt='Look closely.')


def test_a_template_without_system_turn_serves_where_there_is_none(annotator_with):
    annotator = annotator_with(TEMPLATE.replace(*WITHOUT_SYSTEM))
    assert annotator.start(picture((60, 60), 0))['scoring'] == 'shared'


def test_a_template_may_strip_spaces(annotator_with):
    questions = QuestionSet([Question('bird', 'Is it a bird? ')])
    stripping = TEMPLATE.replace("c['text']", "c['text']|trim")
    assert 'Is it a bird?<|im_end|>' in annotator_with(stripping, questions).chat(questions[0].text)


def test_two_images_in_the_prompt_are_refused(annotator_with):
    with pytest.raises(ConfigError, match=r'its processor fails|generate fails'):
        annotator_with(TEMPLATE.replace('<image>', '<image><image>')).start(picture((60, 60), 0))


@pytest.mark.parametrize('token', ['<image>', '<|im_end|>', '<pad>'])
def test_a_question_with_a_special_token_is_named(llava, token, monkeypatch):
    monkeypatch.setattr('makd.annotation.annotators.hf_annotator.load_model', None)  # nothing is loaded before
    questions = QuestionSet([*QUESTIONS, Question('odd', f'Is there a {token} in it?')])
    with pytest.raises(QuestionsError, match=rf"question 'odd', .*{token[1:-1].replace('|', '.')}.* special token"):
        HFAnnotator(llava, questions)


def test_a_class_with_a_special_token_is_named(llava):
    with pytest.raises(QuestionsError, match="'car<image>', holds '<image>'"):
        HFClassAnnotator(llava, ['bird', 'car<image>'])


def test_an_encoder_decoder_is_refused(llava, tmp_path):
    for name in ('model.safetensors', 'generation_config.json'):
        (tmp_path / name).symlink_to(f'{llava}/{name}')
    config = json.loads(Path(llava, 'config.json').read_text())
    (tmp_path / 'config.json').write_text(json.dumps({**config, 'is_encoder_decoder': True}))
    _, processor = tiny_models.llava()
    processor.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match='encoder-decoder'):
        HFAnnotator(str(tmp_path), QUESTIONS)
