"""Take the backbone out of a trained classifier, in half precision, for detectors to begin with."""

import argparse
from pathlib import Path

from makd.cli.main import run
from makd.config import require_checkpoint
from makd.errors import ConfigError
from makd.files import atomic_file


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('checkpoint', help="a classifier's checkpoint")
    p.add_argument(
        'out', help="file to write; configs load it with init_cfg=dict(type='Pretrained', prefix='backbone.')"
    )
    return p.parse_args()


def main() -> None:
    """Write the weights whose names begin with ``backbone.``."""
    args = parse_args()
    checkpoint = require_checkpoint(args.checkpoint, 'checkpoint')

    # Imported here, so that --help is answered without waiting for torch.
    import torch

    from makd.checkpoints import read_checkpoint

    backbone = {
        name: weight.half() if weight.is_floating_point() else weight
        for name, weight in read_checkpoint(checkpoint)['state_dict'].items()
        if name.startswith('backbone.')
    }
    overflown = [name for name, weight in backbone.items() if weight.is_floating_point() and weight.isinf().any()]
    if overflown:
        raise ConfigError(f'{checkpoint}: {overflown} have values beyond the range of half precision.')
    if not backbone:
        raise ConfigError(f'{checkpoint} has no weights whose names begin with backbone.')
    with atomic_file(Path(args.out)) as file:
        torch.save({'state_dict': backbone}, file)
    print(f'{args.out}: {sum(weight.numel() for weight in backbone.values())} numbers')


if __name__ == '__main__':
    run(main)
