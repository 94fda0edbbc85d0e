import json
import re
import runpy
from pathlib import Path

import pytest
from mmengine.config import Config
from scripted_server import Reply, ScriptedServer, completion

from makd.annotation.openai_client import OpenAIClient
from makd.annotation.question_writer import QuestionWriter
from makd.questions import QuestionSet

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'write_questions.py'
NUM_CLASSES = {
    'caltech101': 101,
    'coco': 80,
    'cub200': 200,
    'dtd': 47,
    'emoji': 849,
    'fgvc_aircraft': 100,
    'flowers102': 102,
    'imagenet': 1000,
    'mini_imagenet': 100,
    'oxford_pets': 37,
    'stanford_cars': 196,
}
LOCAL = 'http://localhost:9/v1'
TEXTS = ['Does it have wings?', 'Is it red?', 'Is it found at sea?', 'Is it made of metal?']


def answer(request):
    if 'Select' in request.prompt:
        return completion('{"selected": [4, 2]}')
    return completion(json.dumps({'questions': [{'text': text, 'kind': 'visual'} for text in [*TEXTS, 'Red!']]}))


@pytest.fixture
def run(tmp_path, monkeypatch, run_tool):
    """Return a function that runs the tool on a config in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('OPENAI_API_KEY', raising=False)

    def run(*arguments, **fields):
        config = dict(
            client=dict(model='m', max_retries=0),
            question_writer=dict(num_generated=4, num_selected=2),
            classes=['eagle', 'shark'],
            out='sub/questions.json',
        )
        config.update(fields)
        Config({key: value for key, value in config.items() if value is not None}).dump('config.py')
        return run_tool('write_questions', 'config.py', *arguments)

    return run


def test_writes_and_prints_the_list(run):
    with ScriptedServer(answer) as server:
        printed, end = run('--cfg-options', f'client.base_url={server.url}', 'question_writer.seed=3')
    assert end is None
    assert QuestionSet.load('sub/questions.json').texts == (TEXTS[3], TEXTS[1])
    assert QuestionSet.load('sub/questions.json').metadata['seed'] == 3
    assert '   1. Is it made of metal? (visual)\n   2. Is it red? (visual)\n' in printed.out
    assert '2 questions about 2 classes are in sub/questions.json; read them' in printed.out
    assert '2 requests (0 of them repeated), 20 tokens sent and 10 received' in printed.err
    assert [path.name for path in Path('sub').iterdir()] == ['questions.json']


def test_never_overwrites_without_force(run):
    QuestionSet.from_dict({'questions': [{'id': 'mine', 'text': 'By hand?'}]}).save('sub/questions.json')
    with ScriptedServer(answer) as server:
        client = dict(model='m', base_url=server.url)
        _, end = run(client=client)
        assert 'sub/questions.json exists, and someone may have edited it: nothing was sent. Give --force' in end
        assert server.requests == []
        assert QuestionSet.load('sub/questions.json').ids == ('mine',)
        _, end = run('--force', client=client)
    assert end is None
    assert len(QuestionSet.load('sub/questions.json')) == 2


def test_goes_on_after_a_failure(run):
    def without_choice(request):
        return Reply({}, 503) if 'Select' in request.prompt else answer(request)

    with ScriptedServer(without_choice) as server:
        _, end = run(client=dict(model='m', base_url=server.url, max_retries=0))
    assert 'status 503' in end
    assert 'The questions so far are in sub/.questions.json.partial; the same command resumes' in end
    with ScriptedServer(answer) as server:
        _, end = run(client=dict(model='m', base_url=server.url))
        assert len(server.requests) == 1
    assert end is None
    assert len(QuestionSet.load('sub/questions.json')) == 2


def test_dry_run_needs_neither_key_nor_server(run):
    printed, end = run('--dry-run')
    assert end is None
    assert printed.out.startswith('[system] You are a good question maker.\n\n[user] The dataset consists of 2 classes')
    assert not Path('sub').exists()


def test_classes_from_a_file_and_from_datasets(run):
    Path('classes.txt').write_text('owl\n\nwhale\n')
    assert 'list is as follows: [owl, whale]' in run('--dry-run', classes='classes.txt')[0].out
    emoji = dict(type='makd.EmojiDataset', data_root=str(ROOT / 'data/emoji'), styles=['noto'], label='subcategory')
    # These know their classes and need no file.
    coco = dict(type='RepeatDataset', times=2, dataset=dict(type='mmdet.CocoDataset', ann_file='no.json', pipeline=[0]))
    cub = dict(type='CIFAR10', data_root='no', pipeline=[dict(type='makd.LoadAspectTargets', targets='not/yet')])
    for dataset, shown in ((emoji, 'animal-bird, '), (coco, 'person, bicycle, '), (cub, 'airplane, automobile, ')):
        printed, end = run('--dry-run', classes=None, dataset=dataset)
        assert end is None
        assert shown in printed.out


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'out': None}, r'config.py lacks out; see configs/questions'),
        ({'classes': None}, r'lacks classes or dataset \(one of the two\)'),
        ({'dataset': dict(type='x')}, r'lacks classes or dataset \(one of the two\)'),
        ({'classes': 'absent.txt'}, 'cannot read absent.txt'),
        (
            {'client': dict(model='m', base_url=LOCAL), 'question_writer': dict(num_question=3)},
            "unexpected keyword argument 'num_question'",
        ),
        ({}, 'environment variable OPENAI_API_KEY'),
    ],
)
def test_mistakes_are_one_message(run, fields, message):
    _, end = run(**fields)
    assert end.startswith('error: ')
    assert re.search(message, end)


@pytest.mark.parametrize('path', sorted(ROOT.glob('configs/questions/*.py')), ids=lambda path: path.stem)
def test_configs_that_ship(path):
    assert f'python tools/write_questions.py configs/questions/{path.name}' in path.read_text()
    cfg = Config.fromfile(path)
    num_classes = NUM_CLASSES[path.stem.rsplit('_gpt')[0].removesuffix('_llama_cpp')]
    read_classes = runpy.run_path(str(TOOL))['read_classes']
    assert len(read_classes(cfg)) == num_classes
    client = OpenAIClient(**{'base_url': LOCAL, **cfg.client})
    assert QuestionWriter(client, **cfg.question_writer).num_selected == 50
    assert path.name in (path.parent / 'README.md').read_text()
