"""Find out before the first step, not in hour three, that an image has no targets."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from makd.datasets.load_aspect_targets import require_aspect_transform
from makd.errors import ConfigError, TargetsError
from makd.registry import HOOKS


@HOOKS.register_module()
class AspectTargetCheckHook(Hook):
    """Check before training that model, images and targets belong together, and log which questions are learnt.

    Every training image has targets (unless the transform says ``missing='ignore'``), and their number is the
    ``num_aspects`` of the head.

    Raises:
        ConfigError: If the training pipeline loads no targets, or the model has no aspect outputs, or another number.
        TargetsError: If training images have no targets: one error with the count and the first ten keys.
    """

    def before_train(self, runner: Runner) -> None:
        """Run the checks."""
        dataset = runner.train_dataloader.dataset
        heads = {name: m.num_aspects for name, m in runner.model.named_modules() if hasattr(m, 'num_aspects')}
        if not heads:
            raise ConfigError(
                'No module of the model has num_aspects. Give the model a MaKD head, for example model.head.type='
                "'makd.MaKDLinearClsHead', or take makd.AspectTargetCheckHook out of the config."
            )
        for transform in require_aspect_transform(dataset):
            questions = transform.targets.questions
            for name, num_aspects in heads.items():
                if num_aspects != len(questions):
                    raise ConfigError(
                        f'{transform.targets.path} answers {len(questions)} questions, model.{name} has num_aspects='
                        f'{num_aspects}. Set model.{name}.num_aspects={len(questions)}, or top={num_aspects} in '
                        'makd.LoadAspectTargets.'
                    )
            runner.logger.info(
                f'Aspect targets {transform.targets.path}: {len(questions)} questions, hash {questions.hash}.'
            )
        keys = {transform.key(dataset.get_data_info(i)['img_path']) for i in range(len(dataset))}
        missing = sorted(key for key in keys if key not in transform.targets)
        if not missing:
            return
        first = '\n  '.join(missing[:10])
        message = (
            f'{len(missing)} of {len(keys)} training images have no targets in {transform.targets.path}:\n  {first}'
        )
        if transform.missing == 'error':
            raise TargetsError(
                f'{message}\nAnnotate them, set data_root of makd.LoadAspectTargets to the folder that the keys are '
                "relative to, or set its missing='ignore' to train on these images' classes alone."
            )
        runner.logger.warning(message)
