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


def test_thumbnails_of_regions_show_what_the_annotator_saw(tmp_path):
    image = Image.new('RGB', (40, 30), (0, 0, 200))
    image.paste((0, 200, 0), (10, 8, 20, 18))
    image.save(tmp_path / 'scene #1.png')
    path = str(tmp_path / 'scene #1.png') + '#10,8,20,18'
    (box,) = make_thumbnails([path], 100, (0, 0, 0), dict(context=1.0, outline=False))
    assert opened(box).size == (10, 10)
    assert opened(box).convert('RGB').getpixel((1, 1))[1] > 150
    whole, absent = make_thumbnails([path, 'absent.png#1,2,3,4'], 100, (0, 0, 0), dict(context=None, outline=True))
    assert opened(whole).size == (40, 30)
    assert absent is None
