"""Weights are loaded where they belong; what does not fit is named, with the probable reason."""

import pytest
import torch
from torch import nn

from makd.checkpoints import load_matching_weights, load_weights
from makd.errors import ConfigError


class Net(nn.Module):
    def __init__(self, outputs=4, aspects=0):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3))
        self.head = nn.Module()
        self.head.fc = nn.Linear(4, outputs + aspects)
        if aspects:
            self.head.num_aspects = aspects


def renamed(model, old, new):
    return {key.replace(old, new): value for key, value in model.state_dict().items()}


def refusal(model, weights, load=load_weights):
    with pytest.raises(ConfigError) as error:
        load(model, {'state_dict': weights}, 'a.pth', 'checkpoint', 'c.py')
    return str(error.value)


def test_weights_that_fit_are_copied():
    theirs, ours = Net(), Net()
    load_weights(ours, {'state_dict': theirs.state_dict()}, 'a.pth')
    for key, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[key], value), key


def test_a_model_that_was_wrapped_for_several_gpus():
    theirs, ours = Net(), Net()
    weights = {f'module.{key}': value for key, value in theirs.state_dict().items()}
    load_weights(ours, {'state_dict': weights}, 'a.pth')
    assert torch.equal(ours.head.fc.weight, theirs.head.fc.weight)


def test_counters_of_batchnorm_may_be_absent():
    weights = {key: value for key, value in Net().state_dict().items() if 'num_batches' not in key}
    load_weights(Net(), {'state_dict': weights}, 'a.pth')


def test_what_is_missing_left_over_and_of_another_shape_is_named():
    weights = Net(outputs=5).state_dict()
    del weights['backbone.0.bias']
    weights['neck.weight'] = torch.zeros(1)
    message = refusal(Net(), weights)
    assert message.startswith("checkpoint: the checkpoint 'a.pth' does not fit the config c.py:")
    assert 'missing in the file, of the 11 of the model: backbone.0.bias\n' in message
    assert 'left over in the file: neck.weight\n' in message
    assert (
        'of another shape: head.fc.weight (5, 4), in the model (4, 4), head.fc.bias (5,), in the model (4,)' in message
    )


def test_many_names_are_counted():
    message = refusal(Net(), {'x': torch.zeros(1)})
    assert 'backbone.1.running_var' not in message
    assert 'and 5 more' in message


@pytest.mark.parametrize(
    ('old', 'new', 'guess'),
    [
        ('backbone.', 'encoder.', "begin with 'encoder.', in the model they begin with 'backbone.'"),
        ('backbone.', '', "have no prefix, in the model they begin with 'backbone.'"),
        ('backbone.0', 'backbone.stem', "begin with 'backbone.stem.', in the model they begin with 'backbone.0.'"),
    ],
)
def test_renamed_weights_are_recognised(old, new, guess):
    assert guess in refusal(Net(), renamed(Net(), old, new))


def test_a_wrapper_around_the_whole_model_is_recognised():
    weights = {f'model.{key}': value for key, value in Net().state_dict().items()}
    assert "begin with 'model.', in the model they have none" in refusal(Net(), weights)


def test_a_student_and_a_plain_model_are_recognised():
    plain, student = Net(4), Net(4, aspects=3)
    assert 'a MaKD student with 3 questions' in refusal(Net(4), student.state_dict())
    assert 'a plain model with 4 outputs for classes' in refusal(Net(4, aspects=3), plain.state_dict())
    message = refusal(Net(6), plain.state_dict())
    assert 'Probably the number of classes differs: 4 in the file, 6 in the model.' in message


def test_a_region_head_with_questions_is_recognised():
    def detector(aspects):
        model = Net()
        model.roi_head = nn.Module()
        model.roi_head.bbox_head = Net(5, aspects).head
        return model

    assert 'outputs for 3 questions' in refusal(detector(3), detector(0).state_dict())
    assert 'a MaKD student with 3 questions' in refusal(detector(0), detector(3).state_dict())


def test_a_detector_with_questions_and_a_plain_one_are_recognised():
    student = Net()
    student.aspect_head = nn.Linear(4, 3)
    assert 'a MaKD detector, and the config that of a plain one' in refusal(Net(), student.state_dict())
    assert 'a plain detector, and the config that of a MaKD one' in refusal(student, Net().state_dict())


def test_fine_tuning_loads_what_fits_and_says_what_does_not():
    theirs, ours = Net(7), Net(4)
    fit = load_matching_weights(ours, {'state_dict': theirs.state_dict()}, 'a.pth')
    assert torch.equal(ours.backbone[0].weight, theirs.backbone[0].weight)
    assert fit.not_loaded == ['head.fc.weight', 'head.fc.bias']
    assert str(fit).startswith('of another shape: head.fc.weight (7, 4), in the model (4, 4)')


def test_fine_tuning_needs_most_of_the_backbone():
    message = refusal(Net(), renamed(Net(7), 'backbone.', 'x.'), load_matching_weights)
    assert 'does not fit the config c.py' in message
    fit = load_matching_weights(Net(), {'state_dict': renamed(Net(), 'backbone.2.weight', 'x.')}, 'a.pth')
    assert fit.not_loaded == ['backbone.2.weight']


def test_without_a_backbone_something_has_to_fit():
    with pytest.raises(ConfigError):
        load_matching_weights(nn.Linear(2, 2), {'state_dict': {'other': torch.zeros(1)}}, 'a.pth')
    fit = load_matching_weights(nn.Linear(2, 2), {'state_dict': {'bias': torch.zeros(2)}}, 'a.pth')
    assert fit.not_loaded == ['weight']
