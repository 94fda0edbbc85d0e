"""Draw docs/emoji.png for the README: the same things by five artists, and questions about them.

python docs/draw_emoji.py
"""

import json
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from makd.targets import AspectTargets
from projects.emoji_data.build import slug

DATA = Path(__file__).parents[1] / 'data' / 'emoji'
NAMES = (
    'honeybee',
    'pineapple',
    'sailboat',
    'guitar',
    'crab',
    'fire engine',
    'castle',
    'penguin',
    'scissors',
    'hot beverage',
)
STYLES = {
    'noto': 'Noto (training)',
    'blob': 'blob (validation)',
    'fluent': 'Fluent 3D (validation)',
    'twemoji': 'Twemoji (test)',
    'openmoji': 'OpenMoji (test)',
}
QUESTIONS = ('animal', 'handle', 'red', 'water', 'sweet', 'wings', 'music')
LEFT, CELL, LINE = 300, 72, 22  # pixels

targets = AspectTargets.open(DATA / 'aspects' / 'cldr').select(question_ids=QUESTIONS)
emoji = {entry['name']: entry for entry in json.loads((DATA / 'emoji.json').read_text('utf-8'))}
keys = {name: f'{slug(emoji[name]["subcategory"])}/{emoji[name]["id"]}.png' for name in NAMES}

picture = Image.new('RGB', (LEFT + CELL * len(NAMES), CELL * len(STYLES) + LINE * len(QUESTIONS) + 20), 'white')
draw = ImageDraw.Draw(picture)
font = ImageFont.truetype(f'{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf', 13)
for row, (style, label) in enumerate(STYLES.items()):
    draw.text((8, row * CELL + CELL // 2 - 8), label, fill='black', font=font)
    for column, name in enumerate(NAMES):
        sprite = Image.open(DATA / 'images' / style / keys[name])
        picture.paste(sprite, (LEFT + column * CELL + 4, row * CELL + 4), sprite)
for row, question in enumerate(targets.questions):
    y = CELL * len(STYLES) + 14 + row * LINE
    draw.text((8, y), question.text, fill='black', font=font)
    for column, name in enumerate(NAMES):
        yes = targets.probability(f'noto/{keys[name]}')[row] > 0.5
        color = '#0a7d2c' if yes else '#bbbbbb'
        draw.text((LEFT + column * CELL + CELL // 2 - 10, y), 'yes' if yes else 'no', fill=color, font=font)
picture.quantize(200).save(Path(__file__).with_name('emoji.png'), optimize=True)
