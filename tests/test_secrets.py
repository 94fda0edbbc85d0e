import pytest
from mmengine.config import Config

from makd.config import without_secrets
from makd.secrets import MASK, masked, masked_text


@pytest.mark.parametrize(
    'name', ['api_key', 'apikey', 'API-KEY', 'openai_api_key', 'password', 'token', 'hf_token', 'secret']
)
def test_a_value_is_masked_by_the_name_of_its_field(name):
    assert masked({'client': [{name: 'sk-1'}]}) == {'client': [{name: MASK}]}


@pytest.mark.parametrize('name', ['api_key_env', 'max_tokens', 'image_token', 'tokenizer', 'keys', 'monkey', 'pass'])
def test_other_values_stay(name):
    assert masked({name: 'value'}) == {name: 'value'}


def test_urls_and_arguments():
    assert masked_text('see https://me:pw@host/x and s3://b/c') == f'see https://{MASK}@host/x and s3://b/c'
    assert masked_text('tools/train.py') == 'tools/train.py'


@pytest.mark.parametrize(
    'argument',
    [
        'model.client.api_key=sk-1',
        '--cfg-options=custom.api_key=sk-1',
        "custom={'api_key':'sk-1'}",
        'custom.headers={"Authorization": "Bearer sk-1"}',
        'openaiApiKey=sk-1',
        'github_token=sk-1',
        'aws_session_token=sk-1',
        'source.token=sk-1',
        'https://host/x?api_key=sk-1&y=2',
        'https://me:p@sk-1@host/x',
        "+    password = 'sk-1'",
    ],
)
def test_forms_of_secrets_in_a_command_or_in_code(argument):
    assert 'sk-1' not in masked_text(argument)
    assert MASK in masked_text(argument)


def test_a_config_without_secrets_is_itself():
    cfg = Config(dict(model=dict(type='X', topk=(1, 5))))
    assert without_secrets(cfg) is cfg
    hidden = without_secrets(Config(dict(model=dict(token='t'), topk=(1, 5)), filename=__file__))
    assert hidden.model.token == MASK
    assert hidden.topk == (1, 5)
    assert hidden.filename == __file__
