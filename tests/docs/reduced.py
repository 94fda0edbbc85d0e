"""Run a tool in reduced form: ``reduced.py TOOL ARGUMENTS``; see ``test_commands.py``.

Reduced means: a run of mmengine's Runner sees a few images, once, and its checkpoint has the name that the complete run
would give it; the bundled MLLM replaces those of a hub, a scripted server that of OpenAI, and both answer about as many
images as the reader has; a page and a prediction show a part of their folder; questions are chosen for a part of the
classes; trials of compare.py and reproduce.py are checked, but their result is made up; nothing is downloaded.
"""

import copy
import json
import os
import runpy
import sys
from dataclasses import asdict
from functools import cache
from pathlib import Path

import makd  # noqa: F401, before mmdet: it replaces mmcv's operators

IMAGES, BATCH, ANALYSED, CLASSES = 12, 4, 64, 64
ANNOTATED = 24  # the number of the reader's own images in the test


def reduce(cfg):
    """Make a Runner's config small and return its original number of epochs, if any."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader', 'dataloader'):
        loader = cfg.get(name)
        if not loader:
            continue
        loader.update(num_workers=0, persistent_workers=False, batch_size=min(loader.batch_size, BATCH))
        dataset = loader.dataset
        while 'dataset' in dataset:
            dataset = dataset.dataset
        if dataset.type == 'makd.AnnotationImages':
            dataset.setdefault('limit', ANNOTATED)
        else:
            dataset.indices = IMAGES
    if cfg.get('model', {}).get('type') == 'makd.HFAnnotator':
        shipped = dict(model='data/teachers/tiny-mllm-emoji', dtype='float32', processor={}, attn_implementation=None)
        cfg.model.update({key: value for key, value in shipped.items() if key in cfg.model or key == 'model'})
        import projects.tiny_mllm.hybrid_vision  # noqa: F401, registers the architecture

        if Path(cfg.writer.out_dir, 'meta.json').exists():  # the placeholder for the reader's own targets
            cfg.writer.out_dir += '_reduced'
    if cfg.get('model', {}).get('type') == 'makd.DecisionsAnnotator':
        cfg.model.client.base_url = decision_server()
    if not cfg.get('train_cfg'):
        return None
    whole = cfg.train_cfg.max_epochs
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    return whole


def decision_server():
    """Start a server of decisions that lasts as long as the process; return its URL."""
    sys.path.append(str(Path(__file__).parents[1]))
    from scripted_decisions import decision, names
    from scripted_server import ScriptedServer

    server = ScriptedServer(lambda request: decision([(name, 0.5) for name in names(request)]))
    server.thread.daemon = True
    server.thread.start()
    return server.url


def install():
    """Install the reductions."""
    from mmengine.config import Config
    from mmengine.runner import Runner

    import dataset_converters
    from experiments.teacher_training import TeacherTraining
    from experiments.trial import Result, Trial
    from makd import images
    from makd.analysis import QuestionSelector
    from makd.annotation.annotation_runner import AnnotationRunner
    from makd.cli import analysis

    split_loader = analysis._evaluation_loader
    find_images = images.find_images
    select_questions = QuestionSelector.__init__
    read = cache(Config.fromfile)  # a table has a config for each seed
    train = Runner.train

    def reduce_runs_of(kind):
        build = kind.from_cfg.__func__

        def from_cfg(cls, cfg):
            epochs = reduce(cfg)
            runner = build(cls, cfg)
            runner.epochs_of_the_whole = epochs
            return runner

        kind.from_cfg = classmethod(from_cfg)

    def train_and_name(self):
        train(self)
        last = Path(self.work_dir) / 'epoch_1.pth'
        last.with_name('last_checkpoint').unlink(missing_ok=True)
        if last.exists():  # a resumed training that had ended already saves nothing
            last.rename(last.with_name(f'epoch_{self.epochs_of_the_whole}.pth'))

    def run(trial, report, environment):
        from makd.config import check_data_roots

        check_data_roots(trial.cfg, ('train_dataloader', 'test_dataloader'))
        metric = 'coco/bbox_mAP' if trial.cfg.default_scope == 'mmdet' else 'accuracy/top1'
        result = Result({metric: 10.0 + trial.seed}, 1.0, [(1, {metric: 10.0}), (2, {metric: 11.0})])
        trial.work_dir.mkdir(parents=True)
        (trial.work_dir / 'result.json').write_text(json.dumps(asdict(result)))
        return result

    def split_of_few(cfg, split):
        loader = split_loader(cfg, split)
        loader.update(num_workers=0, persistent_workers=False)
        loader['dataset']['indices'] = ANALYSED
        return loader

    def select_for_few_classes(self, probability, labels):
        few = labels < CLASSES
        select_questions(self, probability[few], labels[few])

    analysis._evaluation_loader = split_of_few
    QuestionSelector.__init__ = select_for_few_classes
    if sys.argv[0].endswith('browse.py') and '--limit' not in sys.argv:
        sys.argv += ['--limit', str(ANALYSED)]
    if sys.argv[0].endswith('predict.py'):
        images.find_images = lambda folder: find_images(folder)[:BATCH]
    Config.fromfile = staticmethod(lambda *arguments, **options: copy.deepcopy(read(*arguments, **options)))
    for kind in (Runner, AnnotationRunner):
        reduce_runs_of(kind)
    Runner.train = train_and_name
    Trial.run = run
    TeacherTraining.run = lambda teacher, report, environment: True
    dataset_converters.preparer = lambda name: type('Prepared', (), {'prepare': staticmethod(lambda *arguments: None)})


if __name__ == '__main__':
    sys.argv = sys.argv[1:]
    sys.path[0] = 'tools'
    install()
    sys.path.append(os.getcwd())
    runpy.run_path(sys.argv[0], run_name='__main__')
