"""The page in the system's headless Chromium: it filters and sorts, runs no foreign code, and loads nothing."""

import os
import shutil
from urllib.parse import quote

import numpy as np
import pytest

from makd.questions import Question

sync_api = pytest.importorskip('playwright.sync_api')

pytestmark = pytest.mark.browser
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable')
NAN = np.nan
#               class  furry  small
ANSWERS = [
    ('cat', 0.90, 0.80),
    ('cat', 0.10, 0.80),  # the only cat that is not furry: suspicion 0.8
    ('cat', 0.90, 0.80),
    ('cat', 0.90, 0.80),
    ('car', 0.05, 0.50),
    ('car', 0.05, 0.50),
    ('car', 0.95, 0.50),  # furry: suspicion 0.9
    ('car', 0.05, NAN),
    ('card', 0.20, 0.50),  # furry: label mass 0.05, suspicion 0.95
    ('card', 0.20, 0.50),
]
LOW = 8
QUESTIONS = [Question('furry', 'Is it furry?', 'visual'), Question('small', 'Is it small?')]


@pytest.fixture(scope='module')
def browser():
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        (pytest.fail if os.environ.get('CI') else pytest.skip)(f'none of {", ".join(BROWSERS)} is installed')
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=['--no-sandbox'])
        yield started
        started.close()


@pytest.fixture
def show(browser, tmp_path):
    """Return a function that opens a page at a hash; afterwards check that it requested nothing and logged no error."""
    opened = browser.new_page(viewport=dict(width=1200, height=800))
    opened.set_default_timeout(10_000)
    requests, complaints = [], []
    opened.on('request', lambda request: requests.append(request.url))
    opened.on('console', lambda message: complaints.append(message.text))
    opened.on('pageerror', lambda error: complaints.append(str(error)))

    def open_page(html, hash_=''):
        path = tmp_path / 'page.html'
        path.write_text(html, 'utf-8')
        opened.goto(f'file://{path}{hash_}')
        return opened

    yield open_page
    assert complaints == []
    assert [url for url in requests if not url.startswith(('file:', 'data:'))] == []
    assert sum(url.startswith('file:') for url in requests) <= 2  # the page itself
    opened.close()


@pytest.fixture(scope='module')
def html(make_page, tmp_path_factory, picture):
    classes = ['cat', 'car', 'card']
    yes = np.array([row[1:] for row in ANSWERS])
    mass = np.ones_like(yes)
    mass[LOW, 0] = 0.05
    labels = [classes.index(row[0]) for row in ANSWERS]
    pictures = [picture] * 3 + [None] + [picture] * 6
    folder = tmp_path_factory.mktemp('targets') / 'animals'
    failures = {'car/7.png': 'a strange reason'}
    return make_page(
        folder, yes, mass, labels, classes, questions=QUESTIONS, pictures=pictures, failures=failures, meta={'a': 'b'}
    )


def numbers(page):
    """Return the numbers of the shown images, in order."""
    cards = page.locator('#grid li:has(.card)').evaluate_all(
        'all => all.sort((a, b) => a.ariaPosInSet - b.ariaPosInSet).map(item => item.firstChild.title)'
    )
    return [int(title.split('/')[1].removesuffix('.png')) for title in cards]


def choose(page, question):
    page.locator('#questions .question', has_text=question).click()


def hash_of(page):
    return page.evaluate('location.hash')


def test_header(show, html):
    page = show(html)
    assert page.title() == 'animals'
    facts = page.locator('#facts').inner_text()
    for fact in ('10 images', '2 questions', '3 classes', '1 missing answers', '3 suspicious answers'):
        assert fact in facts
    page.get_by_label('What the numbers mean').click()
    assert page.get_by_text('correlation ratio').is_visible()
    assert page.locator('#meta').inner_text() == '{\n  "a": "b"\n}'
    page.keyboard.press('Escape')
    assert not page.get_by_text('correlation ratio').is_visible()


def test_regions_are_counted_and_filtered_by_the_classes_of_their_objects(show, make_page, tmp_path):
    keys = ['a.png#0,0,10,5', 'a.png#10,0,20.5,5', 'b.png#0,0,10,5']
    page = show(make_page(tmp_path / 'regions', np.full((3, 1), 0.5), np.ones((3, 1)), [0, 1, 1], ['cat', 'dog'], keys))
    assert '3 regions' in page.locator('#facts').inner_text()
    page.get_by_label('Class', exact=True).fill('dog')
    assert page.locator('#status').inner_text() == '2 of 3 regions, 0 suspicious'
    assert page.locator('.card').evaluate_all('all => all.map(card => card.title)') == keys[1:]
    page.locator('.card').first.click()
    assert page.locator('#key').inner_text() == keys[1]
    assert page.locator('#label').inner_text() == 'Class: dog'


def test_without_a_question_images_have_their_most_suspicious_answer(show, html):
    page = show(html, '#answer=no&sort=yes')  # which wait for a question
    assert numbers(page)[:3] == [LOW, 6, 1]
    assert page.locator('#sort').input_value() == 'suspicious'
    assert page.locator('.card.suspicious').count() == 3
    assert page.locator('.card .id').first.inner_text() == 'furry'
    assert page.get_by_label('Answer', exact=True).is_disabled()
    assert page.locator('.card .thumbnail').count() == 10
    assert page.locator('.card div.thumbnail').all_inner_texts() == ['no picture']
    choose(page, 'Is it furry?')
    assert numbers(page) == [LOW, 9, 1, 4, 5, 7]


def test_questions_are_sorted_and_found(show, html):
    page = show(html)
    order = page.locator('aside').get_by_label('Sort by')

    def ids():
        return [
            title.split()[0]
            for title in page.locator('#questions .question').evaluate_all('all => all.map(q => q.title)')
        ]

    assert ids() == ['furry', 'small']
    for by, expected in (('discrimination', 'small'), ('mass', 'furry'), ('yes', 'small'), ('suspicious', 'furry')):
        order.select_option(by)
        assert ids()[0] == expected, by
    page.get_by_label('Search').fill('IS small')
    assert ids() == ['small']
    assert hash_of(page) == '#order=suspicious&find=IS+small'


def test_images_are_filtered_and_sorted(show, html):
    page = show(html)
    choose(page, 'Is it furry?')
    assert page.locator('#question').inner_text() == 'Is it furry?'
    assert numbers(page)[:3] == [LOW, 6, 1]
    assert page.locator('#status').inner_text() == '10 of 10 images, 3 suspicious'
    assert page.locator('.card', has_text='mass 0.05').count() == 1

    page.get_by_label('Class', exact=True).fill('car')  # a whole name: not card
    assert numbers(page) == [6, 4, 5, 7]
    page.get_by_label('Class', exact=True).fill('CA')  # a part of all
    assert len(numbers(page)) == 10
    page.get_by_label('Class', exact=True).fill('ard')
    assert numbers(page) == [LOW, 9]
    page.get_by_label('Class', exact=True).fill('')

    answer = page.get_by_label('Answer', exact=True)
    answer.select_option('yes')
    assert numbers(page) == [6, 0, 2, 3]
    answer.select_option('no')
    assert sorted(numbers(page)) == [1, 4, 5, 7, 8, 9]
    page.get_by_label('only suspicious').check()
    assert numbers(page) == [LOW, 1]
    choose(page, 'Is it small?')
    assert numbers(page) == []
    assert page.get_by_text('No image fits').is_visible()
    page.get_by_role('button', name='Show all').click()
    answer.select_option('unsure')
    assert numbers(page) == [4, 5, 6, 8, 9]
    answer.select_option('missing')
    assert numbers(page) == [7]
    answer.select_option('')

    sort = page.locator('main').get_by_label('Sort by')
    sort.select_option('no')
    assert numbers(page) == [4, 5, 6, 8, 9, 0, 1, 2, 3, 7]  # without an answer: last
    sort.select_option('yes')
    assert numbers(page) == [0, 1, 2, 3, 4, 5, 6, 8, 9, 7]
    sort.select_option('key')
    assert numbers(page) == list(range(10))


def test_the_dialog_has_all_answers(show, html):
    page = show(html, '#question=furry')
    page.locator('.card').nth(1).click()
    dialog = page.get_by_role('dialog')
    assert dialog.locator('#key').inner_text() == 'car/6.png'
    assert dialog.locator('#label').inner_text() == 'Class: car'
    assert dialog.locator('#picture img').evaluate('image => image.naturalWidth') == 8
    rows = dialog.locator('tbody tr')
    assert [row.locator('td').all_text_contents() for row in rows.all()] == [
        ['⚠ Is it furry?', '', '0.95', '0.05', '1.00'],
        ['Is it small?', '', '0.50', '0.50', '1.00'],
    ]
    assert page.locator('tbody tr.suspicious').count() == 1
    dialog.get_by_role('button', name='Is it small?').click()
    assert not dialog.is_visible()
    assert page.locator('#question').inner_text() == 'Is it small?'


def test_a_label_mass_that_is_not_known_is_not_shown_as_one(show, make_page, tmp_path):
    yes = np.array([[0.9], [0.8], [0.1]])
    page = show(make_page(tmp_path / 'targets', yes, np.ones_like(yes), [0, 0, 0], ['a'], has_label_mass=False))
    assert page.locator('#questions', has_text='mass').count() == 0
    choose(page, 'Is it 0?')
    assert 'label mass not given' in page.locator('#about').inner_text()
    page.locator('.card').first.click()
    assert page.locator('#answers td').all_inner_texts()[-1] == 'not given'


def test_the_dialog_says_why_there_is_no_answer(show, html):
    page = show(html, '#image=car/7.png')
    assert page.locator('#failure').inner_text() == 'No answer: a strange reason'
    assert page.locator('tbody tr').last.locator('td').all_text_contents()[2:] == ['\u2013'] * 3


def test_keyboard(show, html):
    page = show(html, '#sort=key')
    focused = 'document.activeElement.title'
    page.locator('.card').first.focus()
    for key, number in (
        ('ArrowRight', 1),
        ('End', 9),
        ('ArrowLeft', 8),
        ('Home', 0),
        ('ArrowUp', 0),
        ('ArrowRight', 1),
    ):
        page.keyboard.press(key)
        assert page.evaluate(focused).endswith(f'/{number}.png'), key
    page.keyboard.press('Enter')
    dialog = page.get_by_role('dialog')
    assert dialog.is_visible()
    page.keyboard.press('ArrowRight')
    page.keyboard.press('ArrowRight')
    assert dialog.locator('#key').inner_text() == 'cat/3.png'
    page.keyboard.press('Escape')
    assert not dialog.is_visible()
    page.wait_for_function(f'{focused} === "cat/3.png"')
    assert hash_of(page) == '#sort=key'
    page.locator('#all').focus()
    page.keyboard.press('ArrowDown')
    assert page.evaluate(focused) == 'furry (visual)'


def test_the_hash_keeps_what_is_chosen(show, html):
    page = show(html)
    choose(page, 'Is it furry?')
    page.get_by_label('Answer', exact=True).select_option('no')
    page.get_by_label('Class', exact=True).fill('cat')
    page.locator('.card').click()
    kept = hash_of(page)
    page.get_by_role('button', name='Close').click()
    page.wait_for_function('location.hash === "#question=furry&class=cat&answer=no"')
    page = show(html, '#')
    assert len(numbers(page)) == 10
    page = show(html, kept)
    page.wait_for_selector('dialog[open]')
    assert page.locator('#key').inner_text() == 'cat/1.png'
    assert numbers(page) == [1]
    assert page.get_by_label('Class', exact=True).input_value() == 'cat'
    assert page.locator('.question[aria-current=true]').get_attribute('title') == 'furry (visual)'


def test_the_back_button_undoes_a_step(show, html):
    page = show(html)
    choose(page, 'Is it furry?')
    page.locator('.card').first.click()
    page.go_back()
    page.wait_for_selector('dialog:not([open])', state='attached')
    assert hash_of(page) == '#question=furry'
    page.go_back()
    page.wait_for_function('document.querySelector("#question").textContent === "All questions"')


def test_a_hash_of_another_page_is_no_mistake(show, html):
    page = show(html, '#question=nothing&sort=size&image=none&answer=maybe&constructor=1')
    assert len(numbers(page)) == 10


ATTACKS = [
    '<script>window.pwned=1</script>',
    '<img src=x onerror=window.pwned=1>',
    '"\'><svg onload=window.pwned=1>',
    '</script><script>window.pwned=1</script>',
    '\u2028window.pwned=1;\u2029',
    '${window.pwned=1}`;window.pwned=1;`',
    'javascript:window.pwned=1',
]


def test_nothing_foreign_runs(show, make_page, tmp_path):
    count = len(ATTACKS)
    questions = [Question(text, f'Is it {text}?') for text in ATTACKS]
    folder = tmp_path / ATTACKS[1]
    keys = [f'a/{attack}' for attack in ATTACKS]
    classes = [f'class {attack}' for attack in ATTACKS]
    failures = dict(zip(keys, ATTACKS))
    meta = {'teacher': {'model': ATTACKS[0]}, ATTACKS[1]: ATTACKS}
    values = np.full((count, count), 0.3)
    page = show(make_page(folder, values, values, range(count), classes, keys, questions, meta=meta, failures=failures))
    assert page.title() == ATTACKS[1]
    assert page.locator('#name').inner_text() == ATTACKS[1]
    assert ATTACKS[0] in page.locator('#facts').inner_text()
    for attack, question in zip(ATTACKS, page.locator('#questions .text').all()):
        assert question.text_content() == f'Is it {attack}?'
        question.click()
        assert page.locator('#question').text_content() == f'Is it {attack}?'
    for number, attack in enumerate(ATTACKS):
        page.locator('.card').nth(number).click()
        assert page.locator('#key').text_content() == f'a/{attack}'
        assert page.locator('#label').text_content() == f'Class: class {attack}'
        assert page.locator('#failure').text_content() == f'No answer: {attack}'
        page.keyboard.press('Escape')
        page.wait_for_selector('dialog:not([open])', state='attached')
    page.get_by_label('Class', exact=True).fill(classes[0])
    assert page.locator('.card').count() == 1
    page = show(page.content(), '#class=' + quote(ATTACKS[0]) + '&find=' + quote(ATTACKS[1]))
    assert page.locator('svg, [onload], [onerror], [src=x]').count() == 0
    assert page.evaluate('window.pwned') is None


def test_the_policy_stops_what_would_get_in(browser, html, tmp_path):
    page = browser.new_page()
    (tmp_path / 'page.html').write_text(html, 'utf-8')
    page.goto(f'file://{tmp_path / "page.html"}')
    page.evaluate(
        """() => {
          window.stopped = [];
          addEventListener('securitypolicyviolation', (event) => stopped.push(event.effectiveDirective));
          document.body.insertAdjacentHTML('beforeend', '<img src="data:," onerror="window.pwned=1">');
          document.body.insertAdjacentHTML('beforeend', '<img src="https://example.com/x.png">');
          const script = document.createElement('script');
          script.textContent = 'window.pwned=1';
          document.body.append(script);
          fetch('https://example.com').catch(() => {});
        }"""
    )
    page.wait_for_function('stopped.length === 4', timeout=10_000)
    assert sorted(page.evaluate('stopped')) == ['connect-src', 'img-src', 'script-src-attr', 'script-src-elem']
    assert page.evaluate('window.pwned') is None
    page.close()


def test_ten_thousand_images(show, make_page, tmp_path):
    number, classes = 10_000, [f'class {number}' for number in range(100)]
    yes = np.random.default_rng(0).uniform(0.01, 0.99, (number, 66))
    page = show(make_page(tmp_path / 'many', yes, np.ones_like(yes), np.arange(number) % 100, classes))

    def nodes():
        return page.evaluate('document.querySelectorAll("*").length')

    limit = 66 * 8 + 100 + 80 * 8 + 150  # questions, classes, images in view, the rest
    assert nodes() < limit
    choose(page, 'Is it 7?')
    page.get_by_label('Answer', exact=True).select_option('yes')
    kept = int((yes[:, 7] > 0.6).sum())
    shown = int(page.locator('#status').inner_text().split()[0].replace(',', ''))
    assert abs(shown - kept) <= 40  # by the steps of 1/254
    page.locator('.card').first.focus()
    page.keyboard.press('End')
    assert page.locator('li:has(.card:focus)').get_attribute('aria-posinset') == str(shown)
    page.get_by_label('Class', exact=True).fill('class 7')
    assert 0 < len(numbers(page)) < 100
    assert nodes() < limit
