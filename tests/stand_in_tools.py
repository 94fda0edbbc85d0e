"""Stand-ins for train.py and test.py, which write what mmengine writes."""

TRAIN = """
import json, os, pathlib, sys
work_dir = pathlib.Path(sys.argv[sys.argv.index('--work-dir') + 1])
if os.environ.get('RANK', '0') == '0':
    with (work_dir / 'calls').open('a') as calls:
        calls.write(' '.join(sys.argv[1:]) + ' WORLD_SIZE=' + os.environ.get('WORLD_SIZE', '1') + chr(10))
    if pathlib.Path('fail').exists():
        sys.exit('out of luck')
    (work_dir / 'a' / 'vis_data').mkdir(parents=True, exist_ok=True)
    lines = [
        '{"lr": 0.1, "time": 0.1, "epoch": 1, "iter": 50, "step": 50}',
        '{"lr": 0.1, "time": 0.3, "epoch": 1, "iter": 100, "step": 100}',
        '{"accuracy/top1": 7.0, "time": 9.0, "step": 1}',
        '{"half a li',
    ]
    (work_dir / 'a' / 'vis_data' / 'scalars.json').write_text(chr(10).join(lines))
    (work_dir / 'epoch_1.pth').touch()
    (work_dir / 'best_accuracy_top1_epoch_0.pth').touch()
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_1.pth'))
    print('mmengine - INFO - Epoch(train)  [1][100/104]  lr: 0.1')
"""
TEST = """
import json, pathlib, sys
result = {'accuracy/top1': 7.0 if '/makd/' in sys.argv[1] else 5.0}
out = pathlib.Path(sys.argv[sys.argv.index('--out') + 1])
out.write_text(json.dumps(result))
out.with_name('tested').write_text(sys.argv[2])
"""


def write_tools(folder):
    """Write the stand-ins into a folder."""
    folder.mkdir()
    (folder / 'train.py').write_text(TRAIN)
    (folder / 'test.py').write_text(TEST)
