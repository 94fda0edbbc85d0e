"""Export a trained student, plain or with its aspects as a second output, and check what is written."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from makd.cli.arguments import add_options
from makd.cli.main import run
from makd.config import find_config, load_config, require_checkpoint
from makd.errors import ConfigError
from makd.files import atomic_file, write_text

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.model import BaseModel

    from makd.identity import Identity

WEIGHTS, PROGRAMS = ('.pth', '.safetensors'), ('.onnx', '.pt2')
EXAMPLES = """examples:
  python tools/export_student.py CONFIG CHECKPOINT student.pth           # a checkpoint of mmpretrain or mmdet
  python tools/export_student.py CONFIG CHECKPOINT student.safetensors   # the same weights, no code in the file
  python tools/export_student.py CONFIG CHECKPOINT student.onnx --aspects
  python tools/export_student.py CONFIG CHECKPOINT student.pt2           # torch.export.load

.pth and .safetensors hold plain models of mmpretrain or mmdet, with the same scores; their config is written beside
them, NAME_config.py. .onnx and .pt2 hold classifiers: they take resized images, uint8 (batch, 3, H, W) in RGB, and give
scores (batch, C), the probabilities of the classes, and with --aspects a second output, aspects (batch, Q), P(yes) of
each question. Each file is run and compared with the model before it appears."""


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument('config', metavar='CONFIG', help='config file that the student was trained with')
    p.add_argument('checkpoint', metavar='CHECKPOINT', help="the student's checkpoint")
    p.add_argument(
        'out',
        metavar='OUT',
        type=Path,
        help='file to write; its suffix, .pth, .safetensors, .onnx or .pt2, gives the format',
    )
    p.add_argument('--aspects', action='store_true', help='keep P(yes) as a second output; for .onnx and .pt2')
    add_options(p)
    return p.parse_args()


def main() -> None:
    """Export, and check the outputs on random images."""
    args = parse_args()
    out = args.out
    if out.suffix not in WEIGHTS + PROGRAMS:
        raise ConfigError(f'OUT {out}: its suffix has to be one of {", ".join(WEIGHTS + PROGRAMS)}.')
    if args.aspects and out.suffix in WEIGHTS:
        raise ConfigError(
            f'--aspects: {out.suffix} holds a plain model, which has one output: write .onnx or .pt2. '
            f'{args.checkpoint} itself is the checkpoint with aspects.'
        )
    config, checkpoint = find_config(args.config), require_checkpoint(args.checkpoint, 'checkpoint')

    # Imported here, so that --help is answered without waiting for torch.
    from mmengine.registry import init_default_scope

    from makd.datasets.inference_pipeline import inference_size
    from makd.export.plain_model import check_same_scores, plain_config, plain_state_dict
    from makd.models.load_student import load_student
    from makd.registry import MODELS

    cfg = load_config(config, args.cfg_options)
    if out.suffix in PROGRAMS:
        check_program(cfg, config, args)
    init_default_scope(cfg.default_scope)
    student, identity = load_student(cfg, config, checkpoint)
    if args.aspects:
        export_program(cfg, student, identity, out)
        return

    cfg.model = plain_config(cfg.model.to_dict())
    plain = MODELS.build(cfg.model).eval()
    plain.load_state_dict(plain_state_dict(student.state_dict(), plain.state_dict()))
    check_same_scores(student, plain, (64, 64) if cfg.default_scope == 'mmdet' else inference_size(cfg))
    if out.suffix in WEIGHTS:
        export_weights(cfg, plain, identity, out)
    else:
        plain.data_preprocessor = student.data_preprocessor
        export_program(cfg, plain, identity, out)


def check_program(cfg: Config, config: str, args: argparse.Namespace) -> None:
    """Raise a ConfigError if the student cannot be exported as a program, before anything is built."""
    suffix = args.out.suffix
    if cfg.get('default_scope') == 'mmdet':
        raise ConfigError(
            f'{config} is of a detector, and {suffix} is for classifiers: export it to .pth; mmdeploy '
            '(https://github.com/open-mmlab/mmdeploy) then converts NAME_config.py and NAME.pth to ONNX.'
        )
    if args.aspects and 'num_aspects' not in cfg.model.get('head', {}):
        raise ConfigError(f'--aspects: {config} has no model.head.num_aspects: a student with a MaKD head is needed.')
    if suffix == '.onnx':
        from makd.export.programs import require_onnx

        require_onnx()


def export_weights(cfg: Config, plain: BaseModel, identity: Identity, out: Path) -> None:
    """Write the checkpoint of a plain model, and beside it the config that builds it."""
    import torch
    from mmengine.config import Config

    from makd.datasets.inference_pipeline import inference_transforms
    from makd.export.plain_model import plain_loader, plain_pipeline, write_safetensors

    plain_cfg = dict(default_scope=cfg.default_scope, model=cfg.model)
    if cfg.default_scope == 'mmdet':  # mmdet's inference reads the pipeline here,
        plain_cfg['test_dataloader'] = plain_loader(cfg.test_dataloader.to_dict())
    else:  # and mmpretrain's here
        pipeline = plain_pipeline(inference_transforms(cfg))
        plain_cfg['test_dataloader'] = dict(dataset=dict(type='CustomDataset', pipeline=pipeline))
    if 'data_preprocessor' in cfg:  # a classifier's; a detector's is part of its model
        own = ('type', 'batch_augments')  # makd's class, and training only
        plain_cfg['data_preprocessor'] = {k: v for k, v in cfg.data_preprocessor.items() if k not in own}
    plain_cfg = Config(plain_cfg)
    if out.suffix == '.safetensors':
        write_safetensors(plain.state_dict(), plain_cfg.pretty_text, identity.classes, out)
    else:
        meta = {'dataset_meta': dict(identity.dataset_meta)} if identity.dataset_meta else {}
        with atomic_file(out) as file:  # mmdet and mmpretrain take the names of the classes from meta
            torch.save({'state_dict': plain.state_dict(), 'meta': meta}, file)
    config_out = out.with_name(f'{out.stem}_config.py')
    write_text(config_out, plain_cfg.pretty_text)
    print(f'{out}: a plain {type(plain).__name__}, the same scores as the student; config {config_out}')


def export_program(cfg: Config, model: BaseModel, identity: Identity, out: Path) -> None:
    """Write a classifier as ONNX or by torch.export, with a description of its inputs and outputs."""
    from makd.datasets.config_questions import find_questions
    from makd.datasets.inference_pipeline import inference_size
    from makd.export.programs import PixelClassifier, describe, write_onnx, write_program

    classifier, size = PixelClassifier(model), inference_size(cfg)
    questions = find_questions(cfg, identity, model.head.num_aspects) if classifier.has_aspects else None
    metadata = describe(classifier, size, cfg, identity.classes, questions)
    write, runtime = (write_onnx, 'onnxruntime') if out.suffix == '.onnx' else (write_program, 'torch.export.load')
    difference = write(classifier, size, metadata, out)
    outputs = ', '.join(f'{name} {text}' for name, text in metadata['outputs'].items())
    print(f'{out}: images uint8 (batch, 3, {size[0]}, {size[1]}) in RGB -> {outputs}')
    print(f'Run by {runtime} on random images, its probabilities differ from the model by at most {difference:.1g}.')
    if classifier.has_aspects and questions is None:
        print('Neither the checkpoint nor a targets folder names the questions, so the file has no texts of them.')


if __name__ == '__main__':
    run(main)
