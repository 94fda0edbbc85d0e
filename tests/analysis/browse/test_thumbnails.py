import io
import os

from PIL import Image

from makd.analysis.browse import make_thumbnails


def opened(thumbnail):
    return Image.open(io.BytesIO(thumbnail))


def test_thumbnails(tmp_path):
    Image.new('RGB', (400, 200), 'blue').save(tmp_path / 'wide.jpg')
    Image.new('RGBA', (20, 30), (255, 255, 255, 0)).save(tmp_path / 'clear.png')
    (tmp_path / 'broken.png').write_bytes(b'\x89PNG no more')
    os.mkfifo(tmp_path / 'pipe.png')
    names = ['wide.jpg', 'absent.png', 'clear.png', 'broken.png', 'pipe.png']
    wide, absent, clear, broken, pipe = make_thumbnails([str(tmp_path / name) for name in names], 100, (0, 200, 0))
    assert absent is broken is pipe is None
    assert opened(wide).size == (100, 50)
    assert opened(clear).size == (20, 30)  # not enlarged
    red, green, blue = opened(clear).convert('RGB').getpixel((10, 10))
    assert max(red, blue) < 10
    assert abs(green - 200) < 10
