import pytest
from mmengine.config import Config

from makd.config import without_secrets
from makd.secrets import MASK, masked, masked_argument, masked_text


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
    assert masked_argument('model.client.api_key=sk-1') == f'model.client.api_key={MASK}'
    assert masked_argument('load_from=https://me:pw@host/a.pth') == f'load_from=https://{MASK}@host/a.pth'
    assert masked_argument('tools/train.py') == 'tools/train.py'


def test_a_config_without_secrets_is_itself():
    cfg = Config(dict(model=dict(type='X', topk=(1, 5))))
    assert without_secrets(cfg) is cfg
    hidden = without_secrets(Config(dict(model=dict(token='t'), topk=(1, 5)), filename=__file__))
    assert hidden.model.token == MASK
    assert hidden.topk == (1, 5)
    assert hidden.filename == __file__
