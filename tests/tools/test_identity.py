"""Classes and questions are compared by name where a dataset, a checkpoint and a teacher meet."""

import json

import mmengine
import pytest
import torch
from tiny_training import ANIMALS, QUESTIONS, refused, write_answers, write_config, write_images

from makd.questions import Question, QuestionSet


@pytest.fixture(scope='module')
def student(python, tmp_path_factory):
    """Return (folder, config, checkpoint) of a MaKD student of four animals."""
    folder = tmp_path_factory.mktemp('student')
    images = write_images(folder / 'images')
    config = write_config(folder / 'student.py', images, answers=write_answers(folder / 'answers', images))
    return folder, config, train(python, config)


def train(python, config, *options):
    work_dir = config.removesuffix('.py')
    result = python('tools/train.py', config, '--work-dir', work_dir, *options)
    assert result.returncode == 0, result.stderr
    return f'{work_dir}/epoch_1.pth'


def run_test(python, tmp_path, config, checkpoint, *options):
    return python('tools/test.py', config, checkpoint, '--work-dir', tmp_path / 'test', *options)


def test_other_classes_of_the_same_number_are_refused(student, python, tmp_path):
    _, _, checkpoint = student
    images = write_images(tmp_path / 'others', ('ant', 'cod', 'dog', 'eel'))
    config = write_config(tmp_path / 'c.py', images, answers=write_answers(tmp_path / 'answers', images))
    refused(run_test(python, tmp_path, config, checkpoint), "has 'bee'", "has 'eel'", checkpoint)
    refused(run_test(python, tmp_path, config, checkpoint, '--map-classes'), "'eel'")


def test_some_of_the_classes_are_tested_by_name_if_asked_for(student, python, tmp_path):
    folder, config, checkpoint = student
    images = write_images(tmp_path / 'some', ('ant', 'cod', 'dog'))
    other = write_config(tmp_path / 'c.py', f'{folder}/images', test=images, answers=f'{folder}/answers')
    refused(run_test(python, tmp_path, other, checkpoint), 'only the checkpoint', "has 'bee'", '--map-classes')
    # All of the four classes are learnt or not; what counts is that the three get the same predictions as among four.
    everything = run_test(python, tmp_path, config, checkpoint, '--out', tmp_path / 'all.pkl')
    some = run_test(python, tmp_path, other, checkpoint, '--map-classes', '--out', tmp_path / 'some.pkl')
    assert everything.returncode == some.returncode == 0, some.stderr
    correct = {}
    for name in ('all', 'some'):
        for sample in mmengine.load(tmp_path / f'{name}.pkl'):
            label = int(sample['gt_label'])
            correct.setdefault(name, {}).setdefault(label, []).append(int(sample['pred_label']) == label)
    assert sorted(correct['some']) == [0, 2, 3]
    assert all(correct['some'][label] == correct['all'][label] for label in correct['some'])


def test_a_head_with_other_classes_than_the_dataset_is_refused(student, python, tmp_path):
    _, config, _ = student
    result = python('tools/train.py', config, '--work-dir', tmp_path, '--cfg-options', 'model.head.num_classes=7')
    refused(result, 'model.head.num_classes is 7', '4 classes')
    assert not list(tmp_path.glob('*.pth'))


def test_a_hidden_folder_is_no_class(python, tmp_path):
    images = write_images(tmp_path / 'images', ('.ipynb_checkpoints', 'ant', 'bee', 'cod'))
    config = write_config(tmp_path / 'c.py', images)
    refused(python('tools/train.py', config, '--work-dir', tmp_path / 'w'), '.ipynb_checkpoints', images)


def test_validation_on_other_classes_is_refused(python, tmp_path):
    images = write_images(tmp_path / 'images')
    config = write_config(tmp_path / 'c.py', images, test=write_images(tmp_path / 'val', ('ant', 'cod', 'dog', 'eel')))
    result = python('tools/train.py', config, '--work-dir', tmp_path / 'w')
    refused(result, 'val_dataloader.dataset', "only train_dataloader.dataset has 'bee'")


def test_a_label_beyond_the_head_is_named_before_the_first_step(python, tmp_path):
    images = write_images(tmp_path / 'images')
    (tmp_path / 'images.txt').write_text('ant/0.png 1\nbee/0.png 2\ncod/0.png 3\ndog/0.png 4\n')  # labels from 1
    config = write_config(tmp_path / 'c.py', images)
    options = [f'train_dataloader.dataset.ann_file={tmp_path / "images.txt"}']
    result = python('tools/train.py', config, '--no-validate', '--work-dir', tmp_path / 'w', '--cfg-options', *options)
    refused(result, 'the label 4', 'dog/0.png', 'start at 0')
    assert 'does not name its classes' in result.stdout + result.stderr


@pytest.mark.parametrize(
    ('options', 'named'),
    [
        (['model.head.num_classes=5', f'train_dataloader.dataset.metainfo.classes={list(ANIMALS)}'], '4 classes'),
        ([f'train_dataloader.dataset.metainfo.classes={list(ANIMALS)}'], 'the label 4'),
    ],
)
def test_labels_from_1_for_classes_with_names_are_refused(options, named, python, tmp_path):
    result = train_with_labels_from_1(python, tmp_path, options)
    refused(result, named)
    assert not list(tmp_path.rglob('*.pth'))


def test_labels_from_1_for_a_head_with_an_output_too_many_are_warned_about(python, tmp_path):
    result = train_with_labels_from_1(python, tmp_path, ['model.head.num_classes=5'])
    assert 'train_dataloader.dataset has labels from 1 to 4 and none with 0' in result.stdout + result.stderr


def train_with_labels_from_1(python, tmp_path, options):
    images = write_images(tmp_path / 'images')
    lines = [f'{name}/{number}.png {label}\n' for label, name in enumerate(ANIMALS, 1) for number in range(4)]
    (tmp_path / 'images.txt').write_text(''.join(lines))
    config = write_config(tmp_path / 'c.py', images)
    options = [f'train_dataloader.dataset.ann_file={tmp_path / "images.txt"}', *options]
    return python('tools/train.py', config, '--no-validate', '--work-dir', tmp_path / 'w', '--cfg-options', *options)


@pytest.mark.parametrize('teacher', ['other classes', 'another order'])
def test_a_teacher_is_matched_by_the_names_of_its_classes(teacher, student, python, tmp_path):
    folder, _, checkpoint = student
    classes = ('ant', 'cod', 'dog', 'eel') if teacher == 'other classes' else ANIMALS
    images = write_images(tmp_path / 'images', classes)
    order = ['dog', 'ant', 'bee', 'cod']  # names of the folders, renamed
    config = write_config(
        tmp_path / 'c.py',
        images,
        model=dict(
            type='makd.DistillImageClassifier',
            teacher=f'{folder}/student.py',
            teacher_checkpoint=checkpoint,
            distill_loss=dict(type='makd.KDLoss'),
        ),
    )
    options = []
    if teacher == 'another order':
        options = [
            '--cfg-options',
            *(f'{split}_dataloader.dataset.metainfo.classes={order}' for split in ('train', 'val')),
        ]
    result = python('tools/train.py', config, '--work-dir', tmp_path / 'w', *options)
    if teacher == 'other classes':
        refused(result, 'the teacher', "has 'bee'", "has 'eel'")
    else:
        assert result.returncode == 0, result.stderr


def test_a_checkpoint_names_its_questions(student):
    checkpoint = torch.load(student[2], weights_only=False)
    assert QuestionSet.from_dict(checkpoint['meta']['questions']) == QUESTIONS


@pytest.mark.parametrize('change', ['reversed', 'renamed', 'another text'])
def test_other_questions_are_refused(change, student, python, tmp_path):
    folder, _, checkpoint = student
    questions = {
        'reversed': list(QUESTIONS)[::-1],
        'renamed': [Question(f'new_{q.id}', f'{q.text} Really?') for q in QUESTIONS],
        'another text': [*list(QUESTIONS)[:2], Question('legs', 'Has it two legs?')],
    }[change]
    answers = write_answers(tmp_path / 'answers', f'{folder}/images', QuestionSet(questions))
    config = write_config(tmp_path / 'c.py', f'{folder}/images', answers=answers)
    result = run_test(python, tmp_path, config, checkpoint)
    refused(
        result,
        'questions of the checkpoint',
        {'reversed': 'order', 'renamed': 'new_wings', 'another text': 'two legs'}[change],
    )


def test_two_parts_of_a_dataset_with_other_questions_are_refused(student, python, tmp_path):
    folder, _, _ = student
    images = f'{folder}/images'
    other = write_answers(
        tmp_path / 'answers', images, QuestionSet(Question(f'x{i}', f'Is it {i}?') for i in range(len(QUESTIONS)))
    )
    first, second = (
        dict(
            type='CustomDataset',
            data_root=images,
            pipeline=[
                dict(type='LoadImageFromFile'),
                dict(type='PackInputs'),
                dict(type='makd.LoadAspectTargets', targets=answers, data_root=images),
            ],
        )
        for answers in (f'{folder}/answers', other)
    )
    config = write_config(tmp_path / 'c.py', images, answers=f'{folder}/answers')
    with open(config, 'a') as file:
        file.write(f"train_dataloader['dataset'] = dict(type='ConcatDataset', datasets={[first, second]!r})\n")
    refused(python('tools/train.py', config, '--work-dir', tmp_path / 'w'), 'x0', 'wings')


def test_parts_of_a_dataset_with_other_classes_are_refused(student, python, tmp_path):
    folder, _, _ = student
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    roots = [f'{folder}/images', write_images(tmp_path / 'others', ('ant', 'cod', 'dog', 'eel'))]
    parts = [dict(type='CustomDataset', data_root=root, pipeline=pipeline) for root in roots]
    config = write_config(tmp_path / 'c.py', roots[0])
    with open(config, 'a') as file:
        dataset = dict(type='ConcatDataset', datasets=parts, ignore_keys=['classes'])
        file.write(f"train_dataloader['dataset'] = {dataset!r}\n")
    refused(python('tools/train.py', config, '--work-dir', tmp_path / 'w'), "'bee'", "'eel'")


def test_a_metric_that_names_other_questions_is_refused(student, python, tmp_path):
    folder, _, checkpoint = student
    reversed_questions = QuestionSet(list(QUESTIONS)[::-1])
    reversed_questions.save(tmp_path / 'reversed.json')
    config = write_config(tmp_path / 'c.py', f'{folder}/images', answers=f'{folder}/answers')
    metric = dict(type='makd.AspectMetric', questions=str(tmp_path / 'reversed.json'))
    with open(config, 'a') as file:
        file.write(f'test_evaluator = {metric!r}\n')
    refused(run_test(python, tmp_path, config, checkpoint), 'AspectMetric in test_evaluator', 'the order differs')


def test_averages_over_classes_without_images_are_refused(student, python, tmp_path):
    folder, _, checkpoint = student
    images = write_images(tmp_path / 'some', ('ant', 'cod', 'dog'))
    config = write_config(tmp_path / 'c.py', f'{folder}/images', test=images, answers=f'{folder}/answers')
    with open(config, 'a') as file:
        file.write("test_evaluator = dict(type='SingleLabelMetric')\n")
    refused(run_test(python, tmp_path, config, checkpoint, '--map-classes'), "lacks 1 of the 4 classes, first 'bee'")


def test_the_classes_of_an_old_checkpoint_are_read(student, python, tmp_path):
    _, config, path = student
    checkpoint = torch.load(path, weights_only=False)
    del checkpoint['meta']['dataset_meta']
    checkpoint['meta']['CLASSES'] = ANIMALS[::-1]
    torch.save(checkpoint, tmp_path / 'old.pth')
    refused(run_test(python, tmp_path, config, tmp_path / 'old.pth'), 'the order differs')


def test_pictures_of_classes_matched_by_name(student, python, tmp_path):
    folder, _, checkpoint = student
    images = write_images(tmp_path / 'some', ('cod', 'dog'))
    config = write_config(tmp_path / 'c.py', f'{folder}/images', test=images, answers=f'{folder}/answers')
    result = run_test(python, tmp_path, config, checkpoint, '--map-classes', '--show-dir', tmp_path / 'shown')
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / 'shown').rglob('*.png'))) == 8


def test_a_prediction_names_the_questions_of_the_checkpoint(student, python, tmp_path):
    folder, _, checkpoint = student
    answers = write_answers(tmp_path / 'answers', f'{folder}/images', QuestionSet(list(QUESTIONS)[::-1]))
    config = write_config(tmp_path / 'c.py', f'{folder}/images', answers=answers)
    predict = ['tools/predict.py', f'{folder}/images/ant/0.png']
    right = python(*predict, f'{folder}/student.py', checkpoint, '--json', '-')
    other = python(*predict, config, checkpoint, '--json', '-')
    assert right.returncode == other.returncode == 0, other.stderr
    assert 'questions of the checkpoint are not those of the training set' in other.stderr
    found = [
        {aspect['id']: aspect['probability'] for aspect in json.loads(result.stdout)[0]['aspects']}
        for result in (right, other)
    ]
    assert found[0] == found[1]
    assert set(found[0]) == set(QUESTIONS.ids)


def test_a_checkpoint_without_names_is_tested_with_a_warning(student, python, tmp_path):
    _, config, path = student
    checkpoint = torch.load(path, weights_only=False)
    del checkpoint['meta']['questions'], checkpoint['meta']['dataset_meta']
    torch.save(checkpoint, tmp_path / 'old.pth')
    result = run_test(python, tmp_path, config, str(tmp_path / 'old.pth'))
    assert result.returncode == 0, result.stderr
    for what in ('classes', 'questions'):
        assert f'old.pth does not name its {what}' in result.stdout + result.stderr
