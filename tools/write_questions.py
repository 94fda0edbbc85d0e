"""Let a language model write yes/no questions about the classes of a dataset, and select the best (paper section 3.1).

The config names the server (`client`), the number of questions (`question_writer`), the classes (a list or a text file
in `classes`, or any mmpretrain or mmdet dataset in `dataset`) and the output file (`out`). Read the list before you
annotate images with it: change, drop or add questions in the file as you like.

examples:
  export OPENAI_API_KEY=...
  python tools/write_questions.py configs/questions/emoji_gpt4o.py --dry-run
  python tools/write_questions.py configs/questions/emoji_gpt4o.py
  python tools/write_questions.py configs/questions/emoji_llama_cpp.py --cfg-options client.base_url=http://node7:8000/v1
"""

import argparse
import logging
from collections import Counter
from pathlib import Path
from typing import Any

from mmengine.config import Config

from makd.annotation.openai_client import OpenAIClient
from makd.annotation.question_writer import SYSTEM, QuestionWriter
from makd.cli.arguments import add_options
from makd.cli.main import run
from makd.config import check_makd_types, read_config, without_pipelines
from makd.errors import ConfigError, QuestionsError, ServerError
from makd.files import read_text
from makd.questions import QuestionSet

FIELDS = ('client', 'question_writer', 'out')


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file')
    parser.add_argument('--dry-run', action='store_true', help='print the prompts; send and write nothing')
    parser.add_argument('--force', action='store_true', help='overwrite the output file, which someone may have edited')
    add_options(parser)
    return parser.parse_args()


def load(args: argparse.Namespace) -> Config:
    """Load and check the config.

    Raises:
        ConfigError: A field is missing.
    """
    cfg = read_config(args.config, args.cfg_options)
    missing = [field for field in FIELDS if field not in cfg]
    if ('classes' in cfg) == ('dataset' in cfg):
        missing.append('classes or dataset (one of the two)')
    if missing:
        raise ConfigError(f'{args.config} lacks {", ".join(missing)}; see configs/questions/README.md.')
    return cfg


def read_classes(cfg: Config) -> list[str]:
    """Return the names of the classes, from a list, the lines of a file, or a dataset."""
    if 'dataset' in cfg:
        return list(_classes_of(cfg))
    if isinstance(cfg.classes, str):
        lines = read_text(cfg.classes, ConfigError).splitlines()
        return [line.strip() for line in lines if line.strip()]
    return list(cfg.classes)


def _classes_of(cfg: Config) -> tuple[str, ...]:
    # Imported here, so that --help and lists of classes do not wait for torch.
    from mmengine.registry import DATASETS, init_default_scope

    check_makd_types(cfg)
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    # Only the names of the classes are needed; answers that a pipeline loads do not exist before there are questions.
    inner = without_pipelines(cfg.dataset)
    while 'dataset' in inner or 'datasets' in inner:  # a wrapper
        inner = inner.get('dataset') or inner['datasets'][0]
    # Many datasets know their classes without their files, and some cannot be built without them.
    with DATASETS.switch_scope_and_registry(None) as registry:  # the registry of the config's library
        known = (getattr(registry.get(inner['type']), 'METAINFO', None) or {}).get('classes')
    if known and 'metainfo' not in inner:
        return known
    dataset = DATASETS.build({**inner, 'lazy_init': True})
    if not dataset.metainfo.get('classes'):
        dataset.full_init()
    classes = dataset.metainfo.get('classes')
    if not classes:
        raise ConfigError(f'dataset: {inner["type"]} has no metainfo["classes"]. List them in the field classes.')
    return classes


def show(questions: QuestionSet) -> None:
    """Print the questions, and the number of dropped questions per reason."""
    for number, question in enumerate(questions, start=1):
        print(f'{number:4}. {question.text}' + (f' ({question.kind})' if question.kind else ''))
    reasons = Counter(entry['reason'].split(" '")[0].split(' "')[0] for entry in questions.metadata['dropped'])
    if reasons:
        print('dropped: ' + ', '.join(f'{count} {reason}' for reason, count in reasons.most_common()))


def main() -> None:
    """Write the questions."""
    args = parse_args()
    cfg = load(args)
    out = Path(cfg.out)
    if out.exists() and not (args.force or args.dry_run):
        raise QuestionsError(
            f'{out} exists, and someone may have edited it: nothing was sent. Give --force to overwrite it, or '
            'another file with --cfg-options out=FILE.'
        )
    classes = read_classes(cfg)
    arguments: dict[str, Any] = dict(cfg.question_writer)
    if args.dry_run:
        prompts = QuestionWriter(None, **arguments).prompts(classes)
        print('\n\n'.join([f'[system] {SYSTEM}', *(f'[user] {prompt}' for prompt in prompts)]))
        return

    logger = logging.getLogger('makd')
    logger.addHandler(handler := logging.StreamHandler())
    logger.setLevel(logging.INFO)
    client = OpenAIClient(**cfg.client)
    progress_file = out.with_name(f'.{out.name}.partial')
    try:
        questions = QuestionWriter(client, **arguments).write(classes, progress_file)
    except ServerError as error:
        kept = f'\nThe questions so far are in {progress_file}; the same command resumes from there.'
        raise ServerError(f'{error}{kept if progress_file.exists() else ""}') from None
    finally:
        logger.info('%s', client.usage)
        logger.removeHandler(handler)
    questions.save(out)
    progress_file.unlink(missing_ok=True)
    show(questions)
    print(f'{len(questions)} questions about {len(classes)} classes are in {out}; read them before you use them')


if __name__ == '__main__':
    run(main)
