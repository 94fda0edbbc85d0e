import io
import os

import mmcv
import numpy as np
import pytest
from PIL import Image, ImageCms

from makd.datasets.load_emoji_on_ground import LoadEmojiOnGround
from makd.datasets.load_image import LoadImage, LoadImageOnBackground
from makd.errors import DataError
from makd.images import decode, find_images, is_image, require_file

WHITE = (255, 255, 255)
RED = (200, 10, 20)


def encoded(image, format='PNG', **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def gray16(value):
    return Image.fromarray(np.full((2, 2), value, np.uint16))


@pytest.mark.parametrize(
    ('content', 'expected'),
    [
        (encoded(Image.new('RGB', (2, 2), RED)), RED),
        (encoded(Image.new('L', (2, 2), 70)), (70, 70, 70)),
        (encoded(Image.new('1', (2, 2), 1)), WHITE),
        (encoded(Image.new('RGB', (2, 2), RED).quantize(4)), RED),
        (encoded(Image.new('CMYK', (2, 2), (0, 255, 255, 0)), 'TIFF'), (255, 0, 0)),
        (encoded(gray16(70 * 256 + 99)), (70, 70, 70)),
        (encoded(gray16(70 * 256 + 99), 'TIFF'), (70, 70, 70)),
        (encoded(Image.new('RGBA', (2, 2), (*RED, 0))), (1, 2, 3)),
        (encoded(Image.new('RGBA', (2, 2), (0, 0, 0, 51))), (1, 2, 2)),
        (encoded(Image.new('LA', (2, 2), (70, 0))), (1, 2, 3)),
        (encoded(Image.new('P', (2, 2), 0), 'GIF', transparency=0), (1, 2, 3)),
        (encoded(Image.new('RGB', (2, 2), RED), transparency=RED), (1, 2, 3)),
    ],
)
def test_every_mode_comes_as_rgb_on_the_background(content, expected):
    image = decode(content, (1, 2, 3))
    assert image.mode == 'RGB'
    np.testing.assert_array_equal(np.asarray(image), np.broadcast_to(expected, (2, 2, 3)))


def test_photographs_are_turned_upright():
    image = Image.new('RGB', (4, 2))
    exif = image.getexif()
    exif[0x0112] = 6  # turned by 90 degrees
    assert decode(encoded(image, 'JPEG', exif=exif), WHITE).size == (2, 4)
    assert decode(encoded(image, 'JPEG', exif=b'Exif\0\0damaged'), WHITE).size == (4, 2)


UNKNOWN_RANGE = {
    'floating-point numbers': Image.new('F', (2, 2), 70.0),
    'integers of 32 bits': Image.fromarray(np.full((2, 2), 70, np.int32)),
}


@pytest.mark.parametrize('kind', UNKNOWN_RANGE)
@pytest.mark.parametrize('loader', [LoadImage, LoadImageOnBackground])
def test_pixels_of_unknown_range_are_refused_by_annotator_and_student(tmp_path, kind, loader):
    """Of 32 bits, the upper 8 of 16 would make an image of small numbers black."""
    content = encoded(UNKNOWN_RANGE[kind], 'TIFF')
    with pytest.raises(ValueError, match=f'pixels are {kind}; convert the file to 8 or 16 bits'):
        decode(content, WHITE)
    (tmp_path / 'a.tif').write_bytes(content)
    with pytest.raises(DataError, match=f'a.tif .*{kind}'):
        loader()(dict(img_path=str(tmp_path / 'a.tif')))


def photograph(mode='RGB'):
    noise = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    image = Image.fromarray(noise).resize((60, 50), Image.Resampling.BICUBIC)
    if mode == 'Lab':
        profiles = ImageCms.createProfile('sRGB'), ImageCms.createProfile('LAB')
        return ImageCms.profileToProfile(image, *profiles, outputMode='LAB')
    return image.convert(mode)


def turned(format, **options):
    exif = Image.Exif()
    exif[0x0112] = 6  # by 90 degrees
    return encoded(photograph(), format, exif=exif, **options)


FILES = {
    'JPEG': encoded(photograph(), 'JPEG', quality=90),
    'gray JPEG': encoded(photograph('L'), 'JPEG'),
    'PNG': encoded(photograph()),
    'PNG with a palette': encoded(photograph('P')),
    '16-bit PNG': encoded(Image.fromarray(np.arange(6, dtype=np.uint16).reshape(2, 3) * 9999)),
    'BMP': encoded(photograph(), 'BMP'),
    'PPM': encoded(photograph(), 'PPM'),
    'GIF': encoded(photograph(), 'GIF'),
    'WebP': encoded(photograph(), 'WEBP', quality=90),
    'TIFF': encoded(photograph(), 'TIFF'),
    '16-bit TIFF': encoded(Image.fromarray(np.arange(6, dtype=np.uint16).reshape(2, 3) * 9999), 'TIFF'),
    'CMYK TIFF': encoded(photograph('CMYK'), 'TIFF'),
    'Lab TIFF': encoded(photograph('Lab'), 'TIFF'),
    **{f'turned {name}': turned(name) for name in ('JPEG', 'PNG', 'TIFF', 'WEBP')},
}


@pytest.mark.parametrize('name', FILES)
@pytest.mark.parametrize('loader', [LoadImage, LoadImageOnBackground])
def test_the_student_sees_what_the_annotator_sees(tmp_path, name, loader):
    (tmp_path / 'image').write_bytes(FILES[name])
    seen = loader()(dict(img_path=str(tmp_path / 'image')))
    annotators = np.asarray(decode(FILES[name], WHITE))
    assert seen['img_shape'] == seen['ori_shape'] == annotators.shape[:2]
    # Two decoders may round differently.
    np.testing.assert_allclose(seen['img'][..., ::-1], annotators, rtol=0, atol=1)


def test_lab_colours_are_those_of_the_original(tmp_path):
    original = np.asarray(photograph()).astype(float)
    assert np.abs(np.asarray(decode(FILES['Lab TIFF'], WHITE)) - original).mean() < 2  # of Lab's 8 bits
    assert np.abs(mmcv.imfrombytes(FILES['Lab TIFF'], channel_order='rgb') - original).mean() > 10


def test_images_below_a_folder(tmp_path):
    for name in ('b/2.PNG', 'b/1.jpeg', 'a.webp', 'b/c/x.pgm', 'b/notes.txt', 'png'):
        (tmp_path / 'root' / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / 'root' / name).touch()
    assert find_images(str(tmp_path / 'root')) == ['a.webp', 'b/1.jpeg', 'b/2.PNG', 'b/c/x.pgm']
    assert is_image('A.TIFF')
    assert not is_image('tiff')


def test_links_are_followed_but_not_in_circles(tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere/1.png').touch()
    (tmp_path / 'root/a').mkdir(parents=True)
    (tmp_path / 'root/a/2.png').touch()
    (tmp_path / 'root/a/up').symlink_to('..')
    (tmp_path / 'root/a/self').symlink_to('.')
    (tmp_path / 'root/linked').symlink_to(tmp_path / 'elsewhere')
    (tmp_path / 'elsewhere/back').symlink_to(tmp_path / 'root/a')
    (tmp_path / 'root/broken.d').symlink_to('nowhere')
    assert find_images(str(tmp_path / 'root')) == ['a/2.png', 'linked/1.png', 'linked/back/2.png']


def test_pipes_and_devices_are_no_images(tmp_path):
    """Reading a pipe waits until somebody writes into it."""
    os.mkfifo(tmp_path / 'pipe.png')
    (tmp_path / 'device.png').symlink_to('/dev/zero')
    (tmp_path / 'lost.png').symlink_to('nowhere')  # is listed, so that its loss is noticed
    (tmp_path / 'file.png').touch()
    assert find_images(str(tmp_path)) == ['file.png', 'lost.png']
    for name in ('pipe.png', 'device.png'):
        with pytest.raises(ValueError, match='a pipe, socket or device'):
            require_file(str(tmp_path / name))
    for name in ('file.png', 'lost.png', 'absent.png', 'nul\0.png'):
        require_file(str(tmp_path / name))
    require_file('https://host/image.png')


@pytest.mark.parametrize('loader', [LoadImage, LoadImageOnBackground, lambda: LoadEmojiOnGround(32)])
def test_a_pipe_among_the_images_of_a_list_is_named(tmp_path, loader):
    os.mkfifo(tmp_path / 'pipe.png')
    with pytest.raises(DataError, match=r'pipe\.png .*a pipe, socket or device'):
        loader()(dict(img_path=str(tmp_path / 'pipe.png')))
