import json
import re
from base64 import b64decode, b64encode
from hashlib import sha256

import numpy as np
import pytest

HOSTILE = '</script><!--<script>'


@pytest.fixture
def page(make_page, tmp_path, picture):
    yes = np.array([[0.5, 0.25], [1 - 1e-6, np.nan], [1e-6, 0.75], [0.5, 0.5]])
    mass = np.array([[1.0, 0.5], [1.0, 1.0], [0.25, 1.0], [1.0, 1.0]])
    pictures = [picture, None, b'another']
    return make_page(
        tmp_path / 'name',
        yes,
        mass,
        [0, 0, 1, 1],
        ['a', HOSTILE],
        keys=['a.png', 'b.png', HOSTILE, 'c.png'],
        rows=np.array([0, 1, 2]),
        pictures=pictures,
        meta={'teacher': {'model': 'some model'}},
        failures={'b.png': 'it would not say', 'c.png': 'not shown'},
    )


def content(page, element):
    return re.search(rf'<script [^>]*id="{element}">(.*?)</script>', page, re.S)[1]


def test_data(page, picture):
    data = json.loads(content(page, 'data'))
    assert data['name'] == 'name'
    assert data['about'] == 'images'
    assert data['model'] == 'some model'
    assert data['keys'] == ['a.png', 'b.png', HOSTILE]
    assert data['labels'] == [0, 0, 1]
    assert data['classes'] == ['a', HOSTILE]
    assert data['numImages'] == 4
    assert data['numMissing'] == 1
    assert data['failures'] == {'b.png': 'it would not say'}
    assert [question['yes'] for question in data['questions']] == pytest.approx([0.5, 0.5])  # means of sigmoids

    def numbers(name):
        codes = np.frombuffer(b64decode(data['answers'][name]), np.uint8)
        return np.where(codes == data['missing'], np.nan, codes / data['steps']).reshape(3, 2)

    step = 1 / data['steps']
    np.testing.assert_allclose(numbers('yes'), [[0.5, 0.25], [1, np.nan], [0, 0.75]], atol=step / 2)
    np.testing.assert_allclose(numbers('mass'), [[1, 0.5], [1, np.nan], [0.25, 1]], atol=step / 2)
    np.testing.assert_allclose(numbers('expected'), [[1, np.nan], [0.5, np.nan], [0.5, 0.5]], atol=step / 2)
    np.testing.assert_allclose(numbers('suspicion'), [[0.5, 0.5], [0.5, np.nan], [0.75, 0.25]], atol=step / 2)
    assert numbers('suspicion')[0, 0] == data['suspicious']  # exactly: it is a threshold


def test_pictures(page, picture):
    ends = json.loads(content(page, 'data'))['pictureEnds']
    pictures = content(page, 'pictures')
    first = b64encode(picture).decode()
    assert ends[0] == ends[1] == len(first)
    assert pictures == first + b64encode(b'another').decode()


def test_what_comes_from_outside_cannot_end_the_script(page):
    assert page.count(HOSTILE) == 0
    assert page.lower().count('<script') == page.lower().count('</script') == 3


def test_the_policy_names_the_scripts_and_styles_that_are_there(page):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    directives = dict(part.strip().split(' ', 1) for part in policy.split(';'))
    assert directives['default-src'] == "'none'"
    assert directives['img-src'] == 'data:'
    script, style = re.search(r'<script type="module">(.*?)</script>', page, re.S)[1], re.search(
        r'<style>(.*?)</style>', page, re.S
    )[1]  # fmt: skip
    for name, text in (('script-src', script), ('style-src', style)):
        assert directives[name] == f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def test_the_same_input_gives_the_same_file(make_page, tmp_path):
    yes = np.random.default_rng(0).uniform(size=(6, 3))
    pages = [make_page(tmp_path / str(i) / 'x', yes, np.ones((6, 3)), [0, 1] * 3, ['a', 'b']) for i in range(2)]
    assert pages[0] == pages[1]
